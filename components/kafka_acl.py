"""Access control lists of Kafka users."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NotRequired, TypedDict

import pulumi


class KafkaAclArgs(TypedDict):
    """What a Kafka user may or may not do with one resource, or with all resources that share a prefix."""

    type: NotRequired[pulumi.Input[str]]
    """``allow`` or ``deny``, which overrides every ``allow``; ``allow`` by default."""
    resource: pulumi.Input[str]
    """Type of the resource: ``topic``, ``group``, ``transactionalId`` or ``cluster``."""
    name: NotRequired[pulumi.Input[str]]
    """Name of the resource, or the prefix; a cluster has none."""
    pattern: NotRequired[pulumi.Input[str]]
    """``literal``, or ``prefix`` for all resources whose names start with ``name``; ``literal`` by default."""
    operations: pulumi.Input[list[str]]
    """Kafka's operations, such as ``Read``, ``Write`` and ``Describe``."""


_ALLOWED: Final[Mapping[str, tuple[str, ...]]] = {
    "type": ("allow", "deny"),
    "resource": ("topic", "group", "cluster", "transactionalId"),
    "pattern": ("literal", "prefix"),
}
"""Values of the keys that do not take any text."""


def acl_faults(acls: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each wrong value of KafkaAclArgs; the values of Pulumi outputs are not checked."""
    for index, acl in enumerate(acls):
        for key, allowed in _ALLOWED.items():
            if isinstance(acl.get(key), str) and acl[key] not in allowed:
                yield f"acls[{index}].{key} = {acl[key]!r}: must be {' or '.join(allowed)}"
        if "name" in acl and acl.get("resource") == "cluster":
            yield f"acls[{index}].name = {acl['name']!r}: a cluster has no name; remove it"
        if "name" not in acl and acl.get("resource") in ("topic", "group", "transactionalId"):
            yield f"acls[{index}].name is missing; a {acl['resource']} has one"


def acl_rule(acl: KafkaAclArgs) -> dict[str, Any]:
    """Return a rule of a KafkaUser's ``spec.authorization.acls`` (Strimzi 1.2)."""
    named = {"name": acl["name"], "patternType": acl.get("pattern", "literal")} if "name" in acl else {}
    return {
        "type": acl.get("type", "allow"),
        "resource": {"type": acl["resource"], **named},
        "operations": acl["operations"],
        "host": "*",
    }

"""Secrets where everybody can read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guardrails.pod import containers, operated_containers, template
from guardrails.registered import Resource, at, each
from guardrails.rule import Violation, resource_rule, stack_rule

_NAME = re.compile(
    r"(^|[^a-z0-9])(password|passwd|passphrase|secret|token|credentials?|api[-_.]?key|access[-_.]?key|private[-_.]?key)$",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\bpassword\s*=\s*[\"']?[^\s\"';]"
    r"|://[^/\s:@]+:[^/\s:@]+@"
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+",
    re.IGNORECASE,
)
"""A private key, a JAAS or properties password, credentials in a URL, a signed web token."""

_SHORTEST = 8
"""Characters of the shortest text that is looked for: a shorter one is found by chance."""


def _literals(resource: Resource) -> Iterator[tuple[str, str, Any]]:
    """Return (where, name, value) of what an object's env, data and annotations say in clear."""
    for container in (*containers(resource), *operated_containers(resource)):
        for variable in each(container, "env"):
            if "value" in variable:
                yield "env", at(variable, "name"), at(variable, "value")
    places = {"annotation": [at(resource.properties, "metadata"), at(template(resource), "metadata")]}
    for place, owners in places.items():
        for owner in owners:
            yield from ((place, key, value) for key, value in _items(at(owner, "annotations")))
    if resource.kind == "core/ConfigMap":
        yield from (("data", key, value) for key, value in _items(at(resource.properties, "data")))


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    return ((key, value[key]) for key in value) if isinstance(value, Mapping) else iter(())


@resource_rule(
    "no-literal-secret",
    reason="Everyone who can read the object or the stack's state can read the secret.",
    fix="Store it in a Secret and refer to the Secret: valueFrom.secretKeyRef in env, a volume for a file.",
)
def no_literal_secret(resource: Resource) -> Iterator[str]:
    """No env, ConfigMap or annotation holds what is named or looks like a secret."""
    kind = resource.kind.rpartition("/")[2]
    for place, name, value in _literals(resource):
        # A chart names its own keys, and some end in these words without being secret; what a value is, shows anyway.
        named = not resource.from_chart and bool(_NAME.search(str(name)))
        if value and (named or _VALUE.search(str(value))):
            yield f"{kind} {resource.namespace}/{resource.name} has a secret in clear in its {place} {name}"


@stack_rule(
    "no-leaked-password",
    reason="A password in a Secret is not secret if another object contains it in clear text.",
    fix="Refer to the Secret: valueFrom.secretKeyRef in env, a volume for a file.",
)
def no_leaked_password(resources: Sequence[Resource]) -> Iterator[Violation]:
    """No env, ConfigMap or annotation contains a generated password or a Secret's value."""
    secrets = set(_secrets(resources))
    if not secrets:
        return
    for resource in resources:
        for place, name, value in _literals(resource):
            if any(secret in str(value) for secret in secrets):
                kind = resource.kind.rpartition("/")[2]
                message = f"{kind} {resource.namespace}/{resource.name} says a password in its {place} {name}"
                yield Violation(message, resource.urn)


def _secrets(resources: Sequence[Resource]) -> Iterator[str]:
    for resource in resources:
        values = [at(resource.properties, "result")] if resource.type.startswith("random:") else []
        if resource.kind == "core/Secret":
            values += [value for _, value in _items(at(resource.properties, "stringData"))]
        yield from (value for value in values if isinstance(value, str) and len(value) >= _SHORTEST)

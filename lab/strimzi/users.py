"""The user of a KafkaUser, and the changes in Kafka that it needs."""

from __future__ import annotations

import secrets
import string
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lab.strimzi import names
from lab.strimzi.conditions import RefusedError
from lab.strimzi.secret_manifests import decoded, encoded
from lab.strimzi.specification import AclRule, Quotas, UserSpecification, decode

_PASSWORD_LENGTH: Final = 32
_CLUSTER: Final = "kafka-cluster"
"""The name under which Kafka knows the cluster as a resource."""

Manifest = dict[str, Any]


@dataclass(frozen=True, order=True)
class Acl:
    """One ACL of one user, in the words of Kafka's protocol: ``ALLOW``, ``TOPIC``, ``LITERAL``, ``READ`` ..."""

    permission: str
    resource: str
    name: str
    pattern: str
    operation: str
    host: str


@dataclass(frozen=True)
class Wanted:
    """A user as specified; ``acls`` is None when authorization is not this KafkaUser's business."""

    name: str
    scram: bool
    acls: frozenset[Acl] | None
    quotas: Mapping[str, float]


def wanted(resource: Mapping[str, Any], *, acls_supported: bool) -> Wanted:
    """Return what a KafkaUser asks for.

    :param acls_supported: whether the cluster has an authorizer.
    :raises RefusedError: if it asks for what the lab does not honour, or the cluster cannot do.
    """
    specification = decode(resource, UserSpecification)
    authorization = specification.authorization
    if authorization is not None and not acls_supported:
        message = "Simple authorization ACL rules are configured but not supported in the Kafka cluster configuration."
        raise RefusedError("InvalidResourceException", message)
    rules = authorization.acls if authorization else []
    return Wanted(
        name=resource["metadata"]["name"],
        scram=specification.authentication is not None,
        acls=frozenset(acl for rule in rules for acl in acls(rule)) if acls_supported else None,
        quotas=quotas(specification.quotas),
    )


def acls(rule: AclRule) -> list[Acl]:
    """Return the ACLs that a rule stands for, one for each operation.

    :raises RefusedError: if the resource has no name.
    """
    resource = rule.resource
    if resource.type != "cluster" and not resource.name:
        message = f"spec.authorization.acls: a rule for a {resource.type} needs resource.name"
        raise RefusedError("InvalidResourceException", message)
    return [
        Acl(
            permission=rule.type.upper(),
            resource=_words(resource.type),
            name=_CLUSTER if resource.type == "cluster" else str(resource.name),
            pattern="LITERAL" if resource.type == "cluster" or resource.pattern_type == "literal" else "PREFIXED",
            operation=_words(operation),
            host=rule.host,
        )
        for operation in rule.operations
    ]


def _words(name: str) -> str:
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in name).strip("_").upper()


def quotas(specification: Quotas | None) -> dict[str, float]:
    """Return a user's quotas by Kafka's names for them."""
    specification = specification or Quotas()
    values = {
        "producer_byte_rate": specification.producer_byte_rate,
        "consumer_byte_rate": specification.consumer_byte_rate,
        "request_percentage": specification.request_percentage,
        "controller_mutation_rate": specification.controller_mutation_rate,
    }
    return {key: float(value) for key, value in values.items() if value is not None}


def quota_changes(want: Mapping[str, float], have: Mapping[str, float]) -> dict[str, float | None]:
    """Return the quotas to set, and None for those to take away."""
    changes: dict[str, float | None] = {key: value for key, value in want.items() if have.get(key) != value}
    return changes | dict.fromkeys(set(have) - set(want))


def acl_changes(want: Collection[Acl], have: Collection[Acl]) -> tuple[list[Acl], list[Acl]]:
    """Return the ACLs to add and those to take away."""
    return sorted(set(want) - set(have)), sorted(set(have) - set(want))


def source(resource: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return name and key of the Secret with a user's password, or None when it is to be generated."""
    authentication = decode(resource, UserSpecification).authentication
    if authentication is None or authentication.password is None:
        return None
    reference = authentication.password.value_from.secret_key_ref
    return reference.name, reference.key


def secret_name(resource: Mapping[str, Any], prefix: str) -> str:
    """Name of a user's own Secret."""
    return f"{prefix}{resource['metadata']['name']}"


def password(
    resource: Mapping[str, Any], given: Mapping[str, Any] | None, own: Mapping[str, Any] | None, prefix: str
) -> str:
    """Return a user's password: the given one, else the one that it has, else a new one.

    Source of the words: KafkaUserModel in strimzi/strimzi-kafka-operator.

    :param given: the Secret that ``source`` names.
    :param own: the user's own Secret.
    :raises RefusedError: if the Secret that is named, its key or its value is missing.
    """
    reference = source(resource)
    if reference is None:
        kept = decoded(own, "password")
        return kept.decode("ascii") if kept else _generated()
    name, key = reference
    if name == secret_name(resource, prefix):
        message = f"Secret {name} with requested user password is the one that the user operator writes itself."
        raise RefusedError("InvalidResourceException", message)
    if given is None:
        message = f"Secret {name} with requested user password does not exist."
        raise RefusedError("InvalidResourceException", message)
    value = decoded(given, key)
    if value is None:
        message = f"Secret {name} does not contain the key {key} with requested user password."
        raise RefusedError("InvalidResourceException", message)
    if not value:
        raise RefusedError("InvalidResourceException", "The requested user password is empty.")
    try:
        return value.decode("ascii")
    except UnicodeDecodeError:
        message = f"Secret {name}, key {key}: the requested user password has other characters than ASCII."
        raise RefusedError("InvalidResourceException", message) from None


def _generated() -> str:
    # Strimzi's PasswordGenerator, too, begins with a letter.
    letters, all_characters = string.ascii_letters, string.ascii_letters + string.digits
    rest = (secrets.choice(all_characters) for _ in range(_PASSWORD_LENGTH - 1))
    return secrets.choice(letters) + "".join(rest)


def secret(resource: Mapping[str, Any], cluster: str, prefix: str, value: str) -> Manifest:
    """Return a user's own Secret.

    :param cluster: name of the Kafka cluster.
    :param value: the password; Strimzi, too, writes it into the JAAS configuration without escapes.
    """
    metadata = resource["metadata"]
    template = decode(resource, UserSpecification).template.secret.metadata
    user = metadata["name"]
    jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required"
    login = f'{jaas} username="{user}" password="{value}";'
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name(resource, prefix),
            "namespace": metadata["namespace"],
            "labels": template.labels
            | {
                "app.kubernetes.io/name": "strimzi-user-operator",
                "app.kubernetes.io/instance": user,
                "app.kubernetes.io/managed-by": "strimzi-user-operator",
                "app.kubernetes.io/part-of": f"strimzi-{user}",
                names.CLUSTER_LABEL: cluster,
                "strimzi.io/kind": "KafkaUser",
            },
            "annotations": template.annotations,
            "ownerReferences": [
                {
                    "apiVersion": names.API,
                    "kind": "KafkaUser",
                    "name": user,
                    "uid": metadata["uid"],
                    "controller": False,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "type": "Opaque",
        "data": encoded({"password": value.encode(), "sasl.jaas.config": login.encode()}),
    }

"""Users in Kafka, through its admin API: SCRAM credentials, ACLs and quotas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from kafka.errors import NoError
from kafka.protocol.admin import AlterClientQuotasRequest, DescribeClientQuotasRequest

from lab.strimzi.admin import Admin, AdminError
from lab.strimzi.users import Acl, acl_changes, quota_changes

_PREFIX: Final = "User:"
_ANY_NAME: Final = 2
"""Kafka's match type for an entity that has some name (DescribeClientQuotasRequest)."""

_NOT_OURS: Final = ("*", "ANONYMOUS")
"""Users that stand for any, or for nobody."""


def scram_users(admin: Admin) -> set[str]:
    """Return the users that can log in by SCRAM-SHA-512.

    :raises KafkaUnavailableError: if Kafka does not answer.
    """
    found = admin.ask(lambda client: client.describe_user_scram_credentials())
    sha512 = ScramMechanism.SCRAM_SHA_512
    return {user for user, it in found.items() if any(info["mechanism"] == sha512 for info in it["credential_infos"])}


def set_password(admin: Admin, user: str, password: str) -> None:
    """Let a user log in with a password, and with no other.

    :raises AdminError: if Kafka refuses.
    :raises KafkaUnavailableError: if it does not answer.
    """
    _alter(admin, user, UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, password))


def delete_password(admin: Admin, user: str) -> None:
    """Let a user not log in any more.

    :raises AdminError: if Kafka refuses.
    :raises KafkaUnavailableError: if it does not answer.
    """
    _alter(admin, user, UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512))


def _alter(admin: Admin, user: str, change: object) -> None:
    error = admin.ask(lambda client: client.alter_user_scram_credentials([change]))[user]
    if error:
        raise AdminError(user, error)


def acls(admin: Admin, user: str | None = None) -> dict[str, set[Acl]]:
    """Return the ACLs of a user, or of all users, by user.

    :raises AdminError: if Kafka refuses.
    :raises KafkaUnavailableError: if it does not answer.
    """
    every = ACLFilter(
        principal=None if user is None else f"{_PREFIX}{user}",
        host=None,
        operation=ACLOperation.ANY,
        permission_type=ACLPermissionType.ANY,
        resource_pattern=ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY),
    )
    found, error = admin.ask(lambda client: client.describe_acls(every))
    if error is not NoError:
        raise AdminError("ACLs", error.__name__)
    result: dict[str, set[Acl]] = {}
    for acl in found:
        result.setdefault(acl.principal.removeprefix(_PREFIX), set()).add(
            Acl(
                permission=acl.permission_type.name,
                resource=acl.resource_pattern.resource_type.name,
                name=acl.resource_pattern.resource_name,
                pattern=acl.resource_pattern.pattern_type.name,
                operation=acl.operation.name,
                host=acl.host,
            )
        )
    return result


def set_acls(admin: Admin, user: str, want: Iterable[Acl]) -> None:
    """Let a user do what is wanted and no more. What is new is added before what is old goes.

    :raises AdminError: if Kafka refuses.
    :raises KafkaUnavailableError: if it does not answer.
    """
    added, removed = acl_changes(frozenset(want), acls(admin, user).get(user, frozenset()))
    if added:
        result = admin.ask(lambda client: client.create_acls([_acl(user, acl) for acl in added]))
        if result["failed"]:
            raise AdminError(user, ", ".join(sorted({error.__name__ for error in result["failed"]})))
    if removed:
        for _, _, error in admin.ask(lambda client: client.delete_acls([_acl(user, acl) for acl in removed])):
            if error is not NoError:
                raise AdminError(user, error.__name__)


def _acl(user: str, acl: Acl) -> ACL:
    return ACL(
        principal=f"{_PREFIX}{user}",
        host=acl.host,
        operation=ACLOperation[acl.operation],
        permission_type=ACLPermissionType[acl.permission],
        resource_pattern=ResourcePattern(ResourceType[acl.resource], acl.name, ACLResourcePatternType[acl.pattern]),
    )


def quotas(admin: Admin) -> dict[str, dict[str, float]]:
    """Return the quotas of all users that have some of their own.

    :raises AdminError: if Kafka refuses.
    :raises KafkaUnavailableError: if it does not answer.
    """
    component = DescribeClientQuotasRequest.ComponentData(entity_type="user", match_type=_ANY_NAME, match=None)
    response = admin.send(DescribeClientQuotasRequest(components=[component], strict=True))
    if response.error_code:
        raise AdminError("quotas", response.error_message)
    return {
        entry.entity[0].entity_name: {value.key: value.value for value in entry.values}
        for entry in response.entries or []
    }


def set_quotas(admin: Admin, user: str, want: Mapping[str, float]) -> None:
    """Bound a user's use of Kafka as wanted, and not else.

    :raises AdminError: if Kafka refuses.
    :raises KafkaUnavailableError: if it does not answer.
    """
    changes = quota_changes(want, quotas(admin).get(user, {}))
    if not changes:
        return
    entry: Any = AlterClientQuotasRequest.EntryData
    operations = [entry.OpData(key=key, value=value or 0.0, remove=value is None) for key, value in changes.items()]
    entity = entry.EntityData(entity_type="user", entity_name=user)
    response = admin.send(
        AlterClientQuotasRequest(entries=[entry(entity=[entity], ops=operations)], validate_only=False)
    )
    result = response.entries[0]
    if result.error_code:
        raise AdminError(user, result.error_message)


def delete(admin: Admin, user: str, *, acls_supported: bool) -> None:
    """Take all away that Kafka knows of a user.

    :raises AdminError: if Kafka refuses.
    :raises KafkaUnavailableError: if it does not answer.
    """
    if user in scram_users(admin):
        delete_password(admin, user)
    if acls_supported:
        set_acls(admin, user, ())
    set_quotas(admin, user, {})


def known(admin: Admin, *, acls_supported: bool) -> set[str]:
    """Return every user of whom Kafka knows something that a KafkaUser could have said.

    :raises AdminError: if Kafka refuses.
    :raises KafkaUnavailableError: if it does not answer.
    """
    users = scram_users(admin) | set(quotas(admin))
    if acls_supported:
        users |= set(acls(admin))
    return {user for user in users if user not in _NOT_OURS and "=" not in user}

"""Every combination of Kafka user, resource and operation, and whether the access model allows it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

CLUSTER = "kafka-cluster"
"""The name under which Kafka knows the cluster as a resource."""

OPERATIONS = {
    "topic": ("Read", "Write", "Create", "Delete", "Alter", "Describe", "DescribeConfigs", "AlterConfigs"),
    "group": ("Read", "Describe", "Delete", "DescribeConfigs", "AlterConfigs"),
    "transactionalId": ("Describe", "Write"),
    "cluster": (
        "Create", "Alter", "Describe", "ClusterAction", "DescribeConfigs", "AlterConfigs", "IdempotentWrite"
    ),
}  # fmt: skip
"""Operations by type of resource (AclEntry.supportedOperations of Kafka 4.3)."""

_IMPLIED = {"Describe": ("Read", "Write", "Delete", "Alter"), "DescribeConfigs": ("AlterConfigs",)}
"""An operation is allowed by each of these, too (StandardAuthorizerData of Kafka 4.3)."""

NOBODYS = "__consumer_offsets"
"""A topic that exists, and that is no user's."""

SCRAM = "SCRAM-SHA-512"


class Case(NamedTuple):
    """One operation of a user on a resource."""

    user: str
    resource: str
    name: str
    operation: str


class Login(NamedTuple):
    """A connection: as a user, by a mechanism, with a password.

    ``password`` names the user whose password it is; ``wrong`` and ``""`` are such, and nobody's name. All three are
    empty for a connection that does not log in at all.
    """

    user: str
    mechanism: str
    password: str


def cases(model: Mapping[str, Any]) -> list[Case]:
    """Return every case, with a name that starts with each declared name, because ACLs are for exact names.

    :param model: the stack's output ``accessModel``.
    """
    names = _names(model)
    return [
        Case(user["name"], resource, name, operation)
        for user in model["users"]
        for resource, operations in OPERATIONS.items()
        for name in names[resource]
        for operation in operations
    ]


def verdicts(model: Mapping[str, Any], asked: Iterable[Case]) -> dict[Case, bool]:
    """Return whether a model allows each of the cases."""
    have = {user["name"]: _rules(user) for user in model["users"]}
    return {case: _allowed(have[case.user], case) for case in asked}


def with_more(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the model with ACLs that nobody declared: each operation, for some user, on what was not the user's.

    A resource is given for one operation alone, so that an answer about another shows; only the cluster, of which
    there is one, for two.
    """
    names = {resource: of * (2 if resource == "cluster" else 1) for resource, of in _names(model).items()}
    turns = {resource: itertools.cycle(operations) for resource, operations in OPERATIONS.items()}
    users = []
    for user in model["users"]:
        own = {(acl["resource"], acl["name"]) for acl in user["acls"]}
        more = [
            {"resource": resource, "name": name, "operations": [next(turns[resource])]}
            for resource, of in names.items()
            for name in of
            if (resource, name) not in own
        ]
        users.append({**user, "acls": [*user["acls"], *more]})
    return {**model, "users": users}


def logins(model: Mapping[str, Any]) -> dict[Login, bool]:
    """Return every way to log in, and whether it succeeds: only users' own passwords do, with SCRAM-SHA-512."""
    users = [user["name"] for user in model["users"]]
    tried = [Login(user, SCRAM, password) for user in (*users, "unknown") for password in (*users, "wrong", "")]
    tried += [Login(user, mechanism, user) for user in users for mechanism in ("SCRAM-SHA-256", "PLAIN")]
    tried.append(Login("", "", ""))
    return {login: login in {Login(user, SCRAM, user) for user in users} for login in tried}


def differences(expected: Mapping[Any, bool], found: Mapping[Any, bool]) -> list[str]:
    """Return a line for every case that is not as expected."""
    words = {True: "allowed", False: "refused", None: "not asked"}
    return [
        f"{' '.join(case)}: {words[found.get(case)]}, should be {words[allowed]}"
        for case, allowed in expected.items()
        if found.get(case) != allowed
    ]


def _rules(user: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    return {(acl["resource"], acl["name"], operation) for acl in user["acls"] for operation in acl["operations"]}


def _allowed(have: set[tuple[str, str, str]], case: Case) -> bool:
    _, resource, name, operation = case
    if any((resource, name, enough) in have for enough in (operation, *_IMPLIED.get(operation, ()))):
        return True
    if (resource, operation) == ("topic", "Create"):
        return ("cluster", CLUSTER, "Create") in have
    if (resource, operation) == ("cluster", "IdempotentWrite"):
        # Whoever may write to some topic may do so idempotently (KIP-679).
        return any((rule[0], rule[2]) == ("topic", "Write") for rule in have)
    return False


def _names(model: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        "topic": [*_pairs(model["topics"]), NOBODYS],
        "group": list(_pairs(_declared(model, "group"))),
        "transactionalId": list(_pairs(_declared(model, "transactionalId"))),
        "cluster": [CLUSTER],
    }


def _pairs(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield name
        yield f"{name}-other"


def _declared(model: Mapping[str, Any], resource: str) -> list[str]:
    found = (acl["name"] for user in model["users"] for acl in user["acls"] if acl["resource"] == resource)
    return list(dict.fromkeys(found))

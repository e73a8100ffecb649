"""The cases to be asked of Kafka: what adds to them, and what they expect."""

from __future__ import annotations

from typing import Any

import pytest

from verify.kafka_cases import (
    CLUSTER,
    NOBODYS,
    OPERATIONS,
    SCRAM,
    Case,
    Login,
    cases,
    differences,
    logins,
    verdicts,
    with_more,
)

pytestmark = pytest.mark.unit


def user(name: str, *acls: tuple[str, str, tuple[str, ...]]) -> dict[str, Any]:
    return {"name": name, "acls": [{"resource": it[0], "name": it[1], "operations": list(it[2])} for it in acls]}


WRITER = user("writer", ("topic", "calls", ("Write", "Create", "Describe")))
READER = user("reader", ("topic", "calls", ("Read", "Describe")), ("group", "counts", ("Read", "Describe")))
MODEL = {"topics": ["calls"], "users": [WRITER, READER]}


def allowed(model: dict[str, Any], name: str) -> set[tuple[str, str, str]]:
    return {case[1:] for case, verdict in verdicts(model, cases(model)).items() if verdict and case.user == name}


def test_every_user_is_asked_about_every_resource_and_operation() -> None:
    asked = cases(MODEL)
    assert len(set(asked)) == len(asked) == 2 * (3 * 8 + 2 * 5 + 0 * 2 + 7)
    assert {case.name for case in asked} == {"calls", "calls-other", NOBODYS, "counts", "counts-other", CLUSTER}
    assert {(case.resource, case.operation) for case in asked} == {
        (resource, operation) for resource in ("topic", "group", "cluster") for operation in OPERATIONS[resource]
    }


def test_a_user_and_a_topic_more_are_cases_more() -> None:
    with_topic = {**MODEL, "topics": ["calls", "audit"]}
    assert {case[2] for case in set(cases(with_topic)) - set(cases(MODEL))} == {"audit", "audit-other"}
    clerk = user("clerk", ("transactionalId", "books", ("Write",)))
    with_user = {**MODEL, "users": [WRITER, READER, clerk]}
    added = set(cases(with_user)) - set(cases(MODEL))
    assert {case.resource for case in added if case.user == "clerk"} == set(OPERATIONS)
    assert {case.name for case in added if case.user == "writer"} == {"books", "books-other"}
    assert {login.user for login in set(logins(with_user)) - set(logins(MODEL))} == {
        "clerk", "reader", "writer", "unknown"
    }  # fmt: skip


def test_what_is_declared_is_allowed_and_what_follows_from_it_and_no_more() -> None:
    assert allowed(MODEL, "writer") == {
        ("topic", "calls", "Write"),
        ("topic", "calls", "Create"),
        ("topic", "calls", "Describe"),
        ("cluster", CLUSTER, "IdempotentWrite"),
    }
    assert allowed(MODEL, "reader") == {
        ("topic", "calls", "Read"),
        ("topic", "calls", "Describe"),
        ("group", "counts", "Read"),
        ("group", "counts", "Describe"),
    }


@pytest.mark.parametrize(
    ("operation", "implied"),
    [
        ("Alter", {"Describe"}),
        ("AlterConfigs", {"DescribeConfigs"}),
        ("Create", set()),
        ("Delete", {"Describe"}),
        ("Describe", set()),
        ("DescribeConfigs", set()),
        ("Read", {"Describe"}),
    ],
)
def test_operations_that_kafka_implies(operation: str, implied: set[str]) -> None:
    model = {"topics": ["calls"], "users": [user("some", ("topic", "calls", (operation,)))]}
    assert {rule[2] for rule in allowed(model, "some")} == {operation} | implied


def test_who_may_create_topics_of_the_cluster_may_create_each() -> None:
    model = {"topics": ["calls"], "users": [user("some", ("cluster", CLUSTER, ("Create",)))]}
    created = {rule[1] for rule in allowed(model, "some") if rule[2] == "Create"}
    assert created == {"calls", "calls-other", NOBODYS, CLUSTER}


def test_only_a_users_own_password_leads_in_and_only_by_one_mechanism() -> None:
    ways = logins(MODEL)
    assert {way for way, leads_in in ways.items() if leads_in} == {
        Login("writer", SCRAM, "writer"),
        Login("reader", SCRAM, "reader"),
    }
    assert {Login("reader", SCRAM, "writer"), Login("reader", SCRAM, ""), Login("", "", "")} < ways.keys()


def test_what_is_given_by_hand_comes_on_top_and_in_turns() -> None:
    writer, reader = with_more(MODEL)["users"]
    assert writer == user(
        "writer",
        ("topic", "calls", ("Write", "Create", "Describe")),
        ("topic", "calls-other", ("Read",)),
        ("topic", NOBODYS, ("Write",)),
        ("group", "counts", ("Read",)),
        ("group", "counts-other", ("Describe",)),
        ("cluster", CLUSTER, ("Create",)),
        ("cluster", CLUSTER, ("Alter",)),
    )
    assert reader == user(
        "reader",
        ("topic", "calls", ("Read", "Describe")),
        ("group", "counts", ("Read", "Describe")),
        ("topic", "calls-other", ("Create",)),
        ("topic", NOBODYS, ("Delete",)),
        ("group", "counts-other", ("Delete",)),
        ("cluster", CLUSTER, ("Describe",)),
        ("cluster", CLUSTER, ("ClusterAction",)),
    )


def test_a_difference_names_the_case_and_what_was_expected() -> None:
    yes, no = Case("writer", "topic", "calls", "Write"), Case("writer", "topic", "calls", "Delete")
    unknown = Case("writer", "topic", "calls", "Read")
    assert differences({yes: True, no: False, unknown: False}, {yes: False, no: True}) == [
        "writer topic calls Write: refused, should be allowed",
        "writer topic calls Delete: allowed, should be refused",
        "writer topic calls Read: not asked, should be refused",
    ]
    assert differences({yes: True}, {yes: True}) == []

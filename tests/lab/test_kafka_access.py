"""Kafka on the running system against the declared access model: every user, resource and operation, every log-in."""

from __future__ import annotations

import base64
import functools
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from kafka_on_istio.access.model import to_json
from tests.lab.conftest import System, eventually
from verify.inside import questions
from verify.kafka_cases import Case, Login, cases, differences, logins, verdicts, with_more

pytestmark = pytest.mark.lab

QUESTIONS = inspect.getsource(questions)


@dataclass(frozen=True)
class Kafka:
    """The system's Kafka, asked out of the pods that log in to it."""

    system: System
    model: Mapping[str, Any]
    passwords: Mapping[str, str] = field(repr=False)

    def found(self, asked: Iterable[Case]) -> dict[Case, bool]:
        """Return which of the cases Kafka allows."""
        by_user: dict[str, list[Case]] = {}
        for case in asked:
            by_user.setdefault(case.user, []).append(case)
        result: dict[Case, bool] = {}
        for name, of in by_user.items():
            found = self._run(
                name, f"answers(BOOTSTRAP, {name!r}, PASSWORDS[{name!r}], {[[*case[1:]] for case in of]})"
            )
            result |= zip(of, found, strict=True)
        return result

    def entered(self, attempts: Iterable[Login]) -> dict[Login, bool]:
        """Return which of the attempts lead in."""
        attempts = list(attempts)
        some = self.model["users"][0]["name"]
        found = self._run(some, f"entries(BOOTSTRAP, PASSWORDS, {[[*attempt] for attempt in attempts]})")
        return dict(zip(attempts, found, strict=True))

    def acls(self, user: str) -> list[Any]:
        """Return the ACLs that a KafkaUser has."""
        return list(self._get(user)["spec"]["authorization"]["acls"])

    def give(self, acls: Mapping[str, list[Any]]) -> None:
        """Give KafkaUsers other ACLs, and wait until they are ready."""
        namespace = self.model["kafka"]["namespace"]
        for user, of in acls.items():
            patch = json.dumps({"spec": {"authorization": {"acls": of}}})
            self.system.kubectl("-n", namespace, "patch", "kafkauser", user, "--type=merge", "-p", patch)
        for user in acls:
            eventually(functools.partial(self._ready, user))

    def _ready(self, user: str) -> bool:
        resource = self._get(user)
        status = resource["status"]
        ready = any(item["type"] == "Ready" and item["status"] == "True" for item in status["conditions"])
        return ready and status["observedGeneration"] == resource["metadata"]["generation"]

    def _get(self, user: str) -> Any:
        return self.system.get("-n", self.model["kafka"]["namespace"], "kafkauser", user)

    def _run(self, user: str, question: str) -> list[bool]:
        declared = next(item for item in self.model["users"] if item["name"] == user)
        workload = declared["workloads"][0].rpartition("/")[2]
        lines = (
            QUESTIONS,
            f"BOOTSTRAP, PASSWORDS = {self.model['kafka']['bootstrap']!r}, {self.passwords!r}",
            f"print([int(answer) for answer in {question}])",
        )
        answers = json.loads(self.system.script(f"deployment/{workload}", "\n".join(lines), declared["service"]))
        return [bool(answer) for answer in answers]


@pytest.fixture(scope="module")
def kafka(system: System) -> Kafka:
    model = to_json(system.lab.access_model())

    def password(user: str) -> str:
        secret = system.get("-n", model["kafka"]["namespace"], "secret", user)
        return base64.b64decode(secret["data"]["password"]).decode()

    return Kafka(system, model, {user["name"]: password(user["name"]) for user in model["users"]})


def rule(acl: Mapping[str, Any]) -> dict[str, Any]:
    """Return an ACL of the access model as a KafkaUser has it."""
    resource = {"type": acl["resource"]}
    if acl["resource"] != "cluster":
        resource |= {"name": acl["name"], "patternType": "literal"}
    return {"type": "allow", "resource": resource, "operations": acl["operations"], "host": "*"}


@pytest.fixture
def counted(capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Say how many cases there are, even where a test's output is not shown."""

    def count(what: str, expected: Mapping[Any, bool]) -> None:
        allowed = sum(expected.values())
        with capsys.disabled():
            print(f"\n{len(expected)} {what}: {allowed} to be allowed, {len(expected) - allowed} to be refused")

    return count


def agreeing(expected: Mapping[Any, bool], found: Mapping[Any, bool]) -> Mapping[Any, bool]:
    """Return what was found, after a look whether it is as expected."""
    lines = differences(expected, found)
    assert not lines, "\n".join(lines)
    return found


def test_each_user_may_do_what_is_declared_and_nothing_else(kafka: Kafka, counted: Callable[..., None]) -> None:
    expected = verdicts(kafka.model, cases(kafka.model))
    counted("cases of users, resources and operations", expected)
    assert len(expected) > 350
    agreeing(expected, kafka.found(expected))


def test_only_users_with_their_own_password_get_in(kafka: Kafka, counted: Callable[..., None]) -> None:
    expected = logins(kafka.model)
    counted("ways to connect", expected)
    assert len(expected) > 35
    agreeing(expected, kafka.entered(expected))


def test_acls_that_nobody_declared_are_found(kafka: Kafka) -> None:
    """Each operation is given to some user on some resource, so that every question has had both answers."""
    more = with_more(kafka.model)
    declared = verdicts(kafka.model, cases(kafka.model))
    given = verdicts(more, declared)
    assert {(case.resource, case.operation) for case in given if given[case]} == {
        (case.resource, case.operation) for case in declared
    }
    extra = [f"{' '.join(case)}: allowed, should be refused" for case in given if given[case] != declared[case]]
    before = {user["name"]: kafka.acls(user["name"]) for user in kafka.model["users"]}
    try:
        kafka.give({user["name"]: [rule(acl) for acl in user["acls"]] for user in more["users"]})
        found = eventually(lambda: agreeing(given, kafka.found(declared)))
        assert differences(declared, found) == extra
    finally:
        kafka.give(before)
    eventually(lambda: agreeing(declared, kafka.found(declared)))

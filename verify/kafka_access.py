"""Checks from the users' own pods, over the mesh, what each Kafka user may do, and which logins succeed."""

from __future__ import annotations

import base64
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import kafka as client
import msgspec

from kafka_on_istio.access.model import KafkaUser
from verify.cases import Way
from verify.check import Check, Part
from verify.inside import questions
from verify.kafka_cases import Case, Login, cases, logins, verdicts
from verify.payload import import_lines
from verify.session import ProbeSession, at_once

_SECONDS = 120.0
_WORDS = {True: "allowed", False: "refused by ACL", None: "unknown"}
_LOGIN_WORDS = {True: "allowed", False: "refused by SCRAM", None: "unknown"}


def checks(session: ProbeSession) -> list[Check]:
    """Return what each user may do with each topic, group, transactional id and the cluster, and each way to log in.

    :raises VerifyError: if a question has neither a yes nor a no for an answer.
    """
    model = session.model
    if not model.users:
        return []
    plain = msgspec.to_builtins(model)
    asked = verdicts(plain, cases(plain))
    wanted = logins(plain)
    passwords = {user.name: _password(session, user) for user in model.users}
    works = [
        lambda: _entered(session, passwords, wanted),
        *(_asking(session, user, passwords, asked) for user in model.users),
    ]
    entered, *answers = at_once(lambda work: work(), works)
    found = {case: answer for part in answers for case, answer in part.items()}
    return [
        *_told("does", asked, found, _WORDS),
        *_told("logs in as", wanted, entered, _LOGIN_WORDS),
    ]


def _password(session: ProbeSession, user: KafkaUser) -> str:
    secret = session.cluster.secret(session.model.kafka.namespace, user.name)
    return base64.b64decode(secret["password"]).decode()


def _asking(session: ProbeSession, user: KafkaUser, passwords: Mapping[str, str], asked: Mapping[Case, bool]) -> Any:
    mine = [case for case in asked if case.user == user.name]

    def ask() -> dict[Case, bool]:
        question = (
            f"answers({session.model.kafka.bootstrap!r}, {user.name!r}, {passwords[user.name]!r}, {_plain(mine)})"
        )
        return dict(zip(mine, _run(session, user, question), strict=True))

    return ask


def _entered(session: ProbeSession, passwords: Mapping[str, str], wanted: Mapping[Login, bool]) -> dict[Login, bool]:
    tried = list(wanted)
    question = f"entries({session.model.kafka.bootstrap!r}, {dict(passwords)!r}, {_plain(tried)})"
    return dict(zip(tried, _run(session, session.model.users[0], question), strict=True))


def _plain(found: list[Any]) -> list[list[str]]:
    return [[*item[1:]] if isinstance(item, Case) else [*item] for item in found]


def _run(session: ProbeSession, user: KafkaUser, question: str) -> list[bool]:
    """Run a question in a pod of a user; passwords are on its standard input only."""
    program = f"{inspect.getsource(questions)}\nimport json\nprint(json.dumps([bool(it) for it in {question}]))\n"
    # What is imported from __future__ must come first.
    head, _, rest = program.partition("from __future__ import annotations\n")
    text = f"{head}from __future__ import annotations\n{import_lines(client)}{rest}"
    place = session.place(user.workloads[0], Way.THROUGH)
    answers: list[bool] = msgspec.json.decode(session.cluster.run(place, text, _SECONDS), type=list[bool])
    return answers


def _told(
    does: str, wanted: Mapping[Any, bool], found: Mapping[Any, bool], words: Mapping[bool | None, str]
) -> Iterator[Check]:
    for case, allowed in wanted.items():
        yield Check(Part.KAFKA, f"{does} {' '.join(case) or 'nobody'}", words[allowed], words[found.get(case)])

"""The texts of the article's application."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import aiohttp
import pytest

from services import replies
from services.replies import Reply

pytestmark = pytest.mark.unit


def test_a_caller_says_what_its_upstream_said_and_logs_it() -> None:
    said = replies.upstream_said("preference", 200, "preference => recommendation v1 from 'pod-1': 7\n")
    assert replies.called("customer", [said]) == Reply(
        HTTPStatus.OK,
        "customer => preference => recommendation v1 from 'pod-1': 7\n",
        (("preference", "preference => recommendation v1 from 'pod-1': 7"),),
    )


def test_a_caller_of_several_says_what_each_said_in_order() -> None:
    said = [replies.upstream_said("b", 200, "b from 'pod-1': 7\n"), replies.upstream_said("a", 201, "made\n")]
    assert replies.called("customer", said) == Reply(
        HTTPStatus.OK,
        "customer => (b from 'pod-1': 7) + (made)\n",
        (("b", "b from 'pod-1': 7"), ("a", "made")),
    )


def test_a_caller_of_several_of_which_one_fails_answers_503_and_logs_the_others() -> None:
    said = [replies.upstream_said("b", 500, "no\n"), replies.upstream_said("a", 200, "yes\n")]
    text = "customer => (Error: 500 - no) + (yes)\n"
    assert replies.called("customer", said) == Reply(HTTPStatus.SERVICE_UNAVAILABLE, text, (("a", "yes"),))


@pytest.mark.parametrize("status", [301, 404, 500, 503])
def test_a_caller_whose_upstream_fails_answers_503_and_logs_nothing(status: int) -> None:
    said = replies.upstream_said("preference", status, "recommendation misbehavior from 'pod-1'\n")
    text = f"customer => Error: {status} - recommendation misbehavior from 'pod-1'\n"
    assert replies.called("customer", [said]) == Reply(HTTPStatus.SERVICE_UNAVAILABLE, text)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TimeoutError(), "TimeoutError: no reply within 5 s"),
        (aiohttp.ServerDisconnectedError(), "ServerDisconnectedError: Server disconnected"),
        (asyncio.IncompleteReadError(b"", 3), "IncompleteReadError: 0 bytes read on a total of 3 expected bytes"),
        (ValueError("two\n lines"), "ValueError: two lines"),
    ],
)
def test_a_caller_that_reaches_nobody_says_why_on_one_line(error: Exception, text: str) -> None:
    said = replies.upstream_failed("preference", error, 5)
    assert replies.called("customer", [said]) == Reply(HTTPStatus.SERVICE_UNAVAILABLE, f"customer => {text}\n")


def test_a_service_that_calls_no_other_says_version_host_and_count() -> None:
    assert replies.alone("recommendation", "v1", "pod-1", 3) == Reply(
        HTTPStatus.OK, "recommendation v1 from 'pod-1': 3\n", ((None, "3"),)
    )


def test_the_time_stands_between_version_and_host() -> None:
    said = replies.alone("recommendation", "v3", "pod-1", 3, "2026-11-24T18:00+01:00")
    assert said.text == "recommendation v3 2026-11-24T18:00+01:00 from 'pod-1': 3\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[]",
        b"7",
        b"{}",
        b'{"currentDateTime": 7}',
        b'{"currentDateTime": ""}',
        b'{"currentDateTime": "a\\nb"}',
        b'{"currentDateTime": "' + b"1" * 65 + b'"}',
    ],
)
def test_what_is_no_time_is_none(body: bytes) -> None:
    assert replies.moment(body) is None


def test_the_time_is_the_clocks() -> None:
    assert replies.moment(b'{"$id":"1","currentDateTime":"2026-11-24T18:00+01:00"}') == "2026-11-24T18:00+01:00"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://preference:8080/", "preference"),
        ("http://preference.demo-app.svc.cluster.local:8080/", "preference"),
        ("https://Shop/x", "shop"),
    ],
)
def test_the_upstream_is_named_by_its_host(url: str, name: str) -> None:
    assert replies.service_of(url) == name

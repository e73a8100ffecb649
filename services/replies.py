"""What the services answer: the texts of the article's application (Red Hat's Istio tutorial). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

UNKNOWN_TIME: Final = "time unknown"
_MOMENT: Final = re.compile(r"[-+:.0-9A-Za-z]{1,64}")

MISBEHAVE: Final = "Following requests to / will return a 503\n"
BEHAVE: Final = "Following requests to / will return 200\n"


@dataclass(frozen=True)
class Reply:
    """An HTTP status, a text, and what the record of a successful call comments; None for one that is not logged."""

    status: HTTPStatus
    text: str
    comment: str | None = None


def upstream_said(service: str, status: int, body: str) -> Reply:
    """Return a caller's reply to what its upstream said."""
    said = body.strip()
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Reply(HTTPStatus.OK, f"{service} => {said}\n", said)
    return Reply(HTTPStatus.SERVICE_UNAVAILABLE, f"{service} => Error: {status} - {said}\n")


def upstream_failed(service: str, error: BaseException, timeout: float) -> Reply:
    """Return a caller's reply when its upstream could not be asked: the class and the message of the root cause.

    :param timeout: seconds that the upstream had.
    """
    cause = getattr(error, "os_error", error)
    said = getattr(cause, "strerror", None) or str(cause) or f"no reply within {timeout:g} s"
    return Reply(
        HTTPStatus.SERVICE_UNAVAILABLE, f"{service} => {type(cause).__name__}: {' '.join(str(said).split())}\n"
    )


def recommended(service: str, version: str, host: str, count: int, moment: str = "") -> Reply:
    """Return recommendation's reply.

    :param moment: what stands between version and host; nothing when empty.
    """
    who = " ".join(filter(None, (service, version, moment)))
    return Reply(HTTPStatus.OK, f"{who} from '{host}': {count}\n", str(count))


def misbehaved(service: str, host: str) -> Reply:
    """Return recommendation's reply after it was told to misbehave."""
    return Reply(HTTPStatus.SERVICE_UNAVAILABLE, f"{service} misbehavior from '{host}'\n")


def moment(body: bytes) -> str | None:
    """Return ``currentDateTime`` of the world clock's JSON, or None when it is not there or no time."""
    try:
        found: Any = orjson.loads(body)["currentDateTime"]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return found if isinstance(found, str) and _MOMENT.fullmatch(found) else None


def service_of(url: str) -> str:
    """Return the name of the service that a URL leads to: the first label of its host."""
    return (urlsplit(url).hostname or "").partition(".")[0]

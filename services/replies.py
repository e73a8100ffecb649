"""The services' responses, with the texts of the article's application (Red Hat's Istio tutorial). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
class Said:
    """The result of a call to another service: its name, a text, and whether it succeeded."""

    destination: str
    text: str
    succeeded: bool


@dataclass(frozen=True)
class Reply:
    """An HTTP status, a text, and the calls to log to Kafka: the called services, with a comment on each.

    A service without upstreams logs its own response, without a destination.
    """

    status: HTTPStatus
    text: str
    logged: tuple[tuple[str | None, str], ...] = ()


def upstream_said(destination: str, status: int, body: str) -> Said:
    """Return the result of a call with a response."""
    said = body.strip()
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Said(destination, said, succeeded=True)
    return Said(destination, f"Error: {status} - {said}", succeeded=False)


def upstream_failed(destination: str, error: BaseException, timeout: float) -> Said:
    """Return the result of a failed call: the class and the message of the root cause.

    :param timeout: the call's timeout in seconds.
    """
    cause = getattr(error, "os_error", error)
    said = getattr(cause, "strerror", None) or str(cause) or f"no reply within {timeout:g} s"
    return Said(destination, f"{type(cause).__name__}: {' '.join(str(said).split())}", succeeded=False)


def called(who: str, said: Sequence[Said]) -> Reply:
    """Return the response of a service with upstreams: ``who => what``, several as ``(one) + (other)``."""
    texts = [each.text for each in said]
    what = texts[0] if len(texts) == 1 else " + ".join(f"({text})" for text in texts)
    succeeded = all(each.succeeded for each in said)
    return Reply(
        HTTPStatus.OK if succeeded else HTTPStatus.SERVICE_UNAVAILABLE,
        f"{who} => {what}\n",
        tuple((each.destination, each.text) for each in said if each.succeeded),
    )


def alone(service: str, version: str, host: str, count: int, moment: str = "") -> Reply:
    """Return the response of a service without upstreams.

    :param moment: what stands between version and host; nothing when empty.
    """
    who = " ".join(filter(None, (service, version, moment)))
    return Reply(HTTPStatus.OK, f"{who} from '{host}': {count}\n", ((None, str(count)),))


def misbehaved(service: str, host: str) -> Reply:
    """Return recommendation's response after a request to misbehave."""
    return Reply(HTTPStatus.SERVICE_UNAVAILABLE, f"{service} misbehavior from '{host}'\n")


def moment(body: bytes) -> str | None:
    """Return ``currentDateTime`` of the world clock's JSON; None if it is missing or not a time."""
    try:
        found: Any = orjson.loads(body)["currentDateTime"]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return found if isinstance(found, str) and _MOMENT.fullmatch(found) else None


def service_of(url: str) -> str:
    """Return the name of a URL's service: the first label of its host."""
    return (urlsplit(url).hostname or "").partition(".")[0]

"""Reads and checks a service's environment at start, and reports all faults together."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from services.errors import SettingsError

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_TOPIC = re.compile(r"[-._a-zA-Z0-9]{1,249}")
_WRITER = re.compile(rf"{_TOPIC.pattern}={_NAME.pattern}")
_PATH = re.compile(r"/[A-Za-z0-9/_.~-]*")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_ADDRESS = re.compile(r"[^\s,:]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")


@dataclass(frozen=True)
class Call:
    """An HTTP method with a URL or a path."""

    method: str
    where: str


@dataclass
class Environment:
    """Environment variables, and the faults in those that were read.

    Every method returns the value of a variable or its default. If there is neither, or the value is invalid, it
    records a fault and returns an unusable value of the right type: call ``check`` before you use a value. An empty
    variable counts as not set.
    """

    variables: Mapping[str, str]
    faults: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Report all faults.

        :raises SettingsError: if there are any.
        """
        if self.faults:
            raise SettingsError(self.faults)

    def has(self, *names: str) -> bool:
        """Tell whether any of these variables is set."""
        return any(self.variables.get(name) for name in names)

    def text(self, name: str, default: str | None = None) -> str:
        """Return any text. Faults never contain it, so it can be a secret."""
        found = self.variables.get(name) or default
        if found is None:
            self._missing(name)
            return ""
        return found

    def name(self, name: str, default: str | None = None) -> str:
        """Return a DNS label, such as the name of a Kubernetes Service."""
        return self._matching(name, default, _NAME, "lower-case letters, digits and inner hyphens, at most 63")

    def topic(self, name: str) -> str:
        """Return the name of a Kafka topic."""
        return self._matching(name, None, _TOPIC, "letters, digits, '.', '_' and '-', at most 249")

    def topics(self, name: str) -> tuple[str, ...]:
        """Return the names of Kafka topics from a list with commas."""
        return self._list(name, _TOPIC.fullmatch, "names of topics with commas between them")

    def writers(self, name: str) -> dict[str, frozenset[str]]:
        """Return the origins, service names in upper case, that each topic may contain.

        The variable is a list of ``topic=service`` with commas and may repeat a topic. The default is empty.
        """
        if not self.variables.get(name):
            return {}
        pairs = self._list(name, _WRITER.fullmatch, "topic=service, several with commas between them")
        found: dict[str, set[str]] = {}
        for topic, _, service in (pair.partition("=") for pair in pairs):
            found.setdefault(topic, set()).add(service.upper())
        return {topic: frozenset(services) for topic, services in found.items()}

    def addresses(self, name: str) -> str:
        """Return the addresses of Kafka brokers: ``host:port,host:port``."""
        return ",".join(self._list(name, _ADDRESS.fullmatch, "host:port, several with commas between them"))

    def choice(self, name: str, default: str, allowed: Collection[str]) -> str:
        """Return one of the allowed texts."""
        found = self.text(name, default)
        if found not in allowed:
            self._fault(name, found, f"one of {', '.join(allowed)}")
        return found

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        """Return a whole number from ``least`` to ``most``."""
        found = self.text(name, str(default))
        try:
            number = int(found)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            self._fault(name, found, f"a whole number from {least} to {most}")
        return number

    def seconds(self, name: str, default: float, least: float, most: float) -> float:
        """Return a number of seconds from ``least`` to ``most``."""
        found = self.text(name, f"{default:g}")
        try:
            number = float(found)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            self._fault(name, found, f"seconds from {least:g} to {most:g}")
        return number

    def url(self, name: str, default: str | None = None) -> str:
        """Return an ``http`` or ``https`` URL."""
        found = self.text(name, default)
        if found and not _is_url(found):
            self._fault(name, found, "a URL such as http://host:8080/")
        return found

    def calls(self, name: str) -> tuple[Call, ...]:
        """Return the calls of other services, by default none.

        The variable is a list of URLs with commas. A method other than GET precedes its URL: ``POST http://host:8080/``.
        """
        return self._calls(name, "", _is_url, "URLs such as http://host:8080/ or POST http://host:8080/")

    def answers(self, name: str, default: str) -> tuple[Call, ...]:
        """Return the methods and paths that the service serves: a list like that of ``calls``, with paths."""
        return self._calls(name, default, _PATH.fullmatch, "paths such as /customer or POST /orders")

    def _calls(self, name: str, default: str, is_allowed: Callable[[str], object], allowed: str) -> tuple[Call, ...]:
        if not (self.variables.get(name) or default):
            return ()
        parts = self._list(
            name, lambda part: is_allowed(_call(part).where), f"{allowed}, with commas between them", default
        )
        return tuple(map(_call, parts))

    def _matching(self, name: str, default: str | None, pattern: re.Pattern[str], allowed: str) -> str:
        found = self.text(name, default)
        if found and not pattern.fullmatch(found):
            self._fault(name, found, allowed)
        return found

    def _list(
        self, name: str, is_allowed: Callable[[str], object], allowed: str, default: str | None = None
    ) -> tuple[str, ...]:
        whole = self.text(name, default)
        parts = tuple(part.strip() for part in whole.split(","))
        if whole and not all(map(is_allowed, parts)):
            self._fault(name, whole, allowed)
        return parts

    def _missing(self, name: str) -> None:
        self.faults.append(f"{name} is not set: set it in the environment")

    def _fault(self, name: str, found: str, allowed: str) -> None:
        self.faults.append(f"{name} is {found!r}: it must be {allowed}; correct it in the environment")


def _call(text: str) -> Call:
    method, _, where = text.partition(" ")
    return Call(method, where.strip()) if method in _METHODS else Call("GET", text)


def _is_url(text: str) -> bool:
    try:
        parts: SplitResult = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False

"""Probes of a container: one attempt, and the loop that evaluates many."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import aiohttp

from lab.node.manifest import Manifest, container_port

_EAGER_SECONDS: Final = 0.2

Exec = Callable[[list[str]], Awaitable[tuple[int, str]]]
"""Runs a command in the container, and returns its exit code and output."""


class Outcome(NamedTuple):
    """What an attempt found; ``message`` says what was wrong."""

    ok: bool
    message: str = ""


@dataclass(frozen=True)
class Settings:
    """How often a probe is tried and judged; times in seconds."""

    delay: float
    period: float
    timeout: float
    successes: int
    failures: int

    @classmethod
    def of(cls, probe: Manifest) -> Settings:
        """Read them from a Probe, with Kubernetes' defaults."""

        def number(name: str, default: int) -> int:
            return int(probe.get(name) or default)

        return cls(
            number("initialDelaySeconds", 0),
            number("periodSeconds", 10),
            number("timeoutSeconds", 1),
            number("successThreshold", 1),
            number("failureThreshold", 3),
        )


class Judgement:
    """Counts the outcomes in a row, and says what they come to. Pure."""

    def __init__(self, settings: Settings, *, healthy: bool) -> None:
        """Begin with what holds before the first attempt."""
        self._settings = settings
        self._row = 0
        self._last: bool | None = None
        self.healthy = healthy

    def add(self, *, ok: bool) -> bool:
        """Take an outcome, and tell whether the judgement has changed (or a limit was reached once more)."""
        self._row = self._row + 1 if ok is self._last else 1
        self._last = ok
        limit = self._settings.successes if ok else self._settings.failures
        if self._row < limit:
            return False
        changed = self.healthy is not ok
        self.healthy = ok
        return changed or (not ok and self._row % limit == 0)


async def attempt(probe: Manifest, container: Manifest, address: str, execute: Exec, seconds: float) -> Outcome:
    """Try a probe once; no answer within ``seconds`` is a failure."""
    try:
        async with asyncio.timeout(seconds):
            if "exec" in probe:
                code, output = await execute(list(probe["exec"]["command"]))
                return Outcome(code == 0, output.strip()[-200:] or f"exit code {code}")
            if "httpGet" in probe:
                return await _http(probe["httpGet"], container, address)
            if "tcpSocket" in probe:
                return await _tcp(probe["tcpSocket"], container, address)
            return Outcome(ok=False, message=f"the lab's node has no probes of kind {', '.join(probe)}")
    except TimeoutError:
        return Outcome(ok=False, message=f"no answer within {seconds:g} s")


def _port(action: Manifest, container: Manifest) -> int:
    port = container_port(container, action["port"])
    if port is None:
        message = f'no port is named "{action["port"]}"'
        raise OSError(message)
    return port


async def _http(action: Manifest, container: Manifest, address: str) -> Outcome:
    try:
        port = _port(action, container)
        scheme = action.get("scheme", "HTTP").lower()
        path = action.get("path") or "/"
        url = f"{scheme}://{action.get('host') or address}:{port}{path if path.startswith('/') else '/' + path}"
        headers = {item["name"]: item["value"] for item in action.get("httpHeaders") or []}
        connector = aiohttp.TCPConnector(ssl=False, force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(url, headers={"User-Agent": "kube-probe/lab", **headers}) as response,
        ):
            return Outcome(response.status < 400, f"HTTP probe failed with statuscode: {response.status}")  # noqa: PLR2004
    except (OSError, aiohttp.ClientError) as error:
        return Outcome(ok=False, message=str(error) or type(error).__name__)


async def _tcp(action: Manifest, container: Manifest, address: str) -> Outcome:
    try:
        _, writer = await asyncio.open_connection(action.get("host") or address, _port(action, container))
    except OSError as error:
        return Outcome(ok=False, message=str(error))
    writer.close()
    return Outcome(ok=True)


async def watch(
    probe: Manifest,
    container: Manifest,
    address: str,
    execute: Exec,
    changed: Callable[[bool, str], Awaitable[None] | None],
    *,
    healthy: bool,
) -> None:
    """Try a probe for ever, and say whenever the judgement changes (or fails once more).

    :param healthy: what holds before the first attempt.
    """
    settings = Settings.of(probe)
    judgement = Judgement(settings, healthy=healthy)
    await asyncio.sleep(settings.delay)
    clock = asyncio.get_running_loop().time
    counted = clock() - settings.period
    while True:
        outcome = await attempt(probe, container, address, execute, settings.timeout)
        # What is not healthy yet is asked more often than a kubelet would, for `up` waits for it; that it fails counts
        # no more often than with a kubelet.
        due = clock() - counted >= settings.period - _EAGER_SECONDS / 2
        if outcome.ok or due:
            counted = clock()
            if judgement.add(ok=outcome.ok):
                said = changed(judgement.healthy, outcome.message)
                if said is not None:
                    await said
        eager = not judgement.healthy and not isinstance(probe.get("exec"), dict)
        await asyncio.sleep(min(_EAGER_SECONDS, settings.period) if eager else settings.period)


def of(container: Manifest) -> Mapping[str, Any]:
    """Return a container's probes by kind: ``startup``, ``liveness``, ``readiness``."""
    return {
        kind: container[f"{kind}Probe"]
        for kind in ("startup", "liveness", "readiness")
        if container.get(f"{kind}Probe")
    }

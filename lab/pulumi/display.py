"""Shows the progress of an engine run: a line per change, the reasons for waiting, and each message once."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from typing import Any, Final, Self, TextIO

from rich.console import Console

from harness.fields import differences
from harness.urn import STACK_TYPE, name_of
from review.access import access_changes

CHANGES: Final = ("create", "update", "replace", "delete")
"""The steps to show; the others are parts of a replacement, or leave the resource as it is."""

_EVERY: Final = 10.0
"""Seconds between two lines that say what a run waits for, where the output is not a terminal."""

_WRAPPERS: Final = (
    "an unhandled error occurred",
    "update failed",
    "preview failed",
    "python inline source runtime error: ",
)
"""What the engine says besides of an error that it has shown."""

_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
"""The key that marks a secret in properties (sdk/go/common/resource/sig of pulumi/pulumi)."""

_COLORS: Final = re.compile(r"<\{%.*?%\}>")


class Display:
    """A listener to the engine's events."""

    def __init__(self, stream: TextIO, command: str) -> None:
        """:param stream: gets a status line if it is a terminal, and plain lines otherwise.

        :param command: ``up``, ``preview``, ``refresh`` or ``destroy``.
        """
        self._command = command
        self._console = Console(file=stream, highlight=False, soft_wrap=True, markup=False, emoji=False)
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
        self._status = self._console.status("") if self._console.is_terminal else None
        self._lock = threading.Lock()
        self._begun: dict[str, float] = {}
        self._reasons: dict[str, str] = {}
        self._said: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._last = time.monotonic()
        self._models: tuple[Any, Any] = (None, None)
        self._details: list[str] = []
        self.steps: list[dict[str, Any]] = []
        self.has_error = False

    def __enter__(self) -> Self:
        """Start the status line."""
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the status line."""
        if self._status:
            self._status.stop()

    def event(self, event: Any) -> None:
        """Handle an event of the Automation API (``pulumi.automation.events.EngineEvent``)."""
        with self._lock:
            if event.resource_pre_event:
                self._begin(event.resource_pre_event.metadata)
            elif event.res_outputs_event:
                self._end(event.res_outputs_event.metadata)
            elif event.res_op_failed_event:
                self._begun.pop(event.res_op_failed_event.metadata.urn, None)
            elif event.diagnostic_event:
                self._message(event.diagnostic_event)
            self._wait()

    def summary(self, seconds: float) -> str:
        """Return one line with the number of changes.

        :param seconds: that the run took.
        """
        verb = "{} to {}" if self._command == "preview" else "{} {}d"
        done = ", ".join(verb.format(self._counts[step], step) for step in CHANGES if self._counts[step])
        return f"{done or 'no changes'}, {self._counts['same']} unchanged ({seconds:.0f} s)"

    def report(self) -> list[str]:
        """Return the changes of a preview or a refresh: changes of access first, then the fields of each resource."""
        access = access_changes(*self._models) if self._command == "preview" else []
        return [*access, *([""] if access and self._details else []), *self._details]

    def to_json(self) -> str:
        """Return the steps as JSON: ``{"steps": [{"op", "urn", "protect", "retainOnDelete"}]}``."""
        return json.dumps({"steps": self.steps})

    def fail(self, text: str) -> None:
        """Show the last line of the engine's output after a failure without an event."""
        lines = [line.partition("error: ")[2] for line in text.splitlines() if "error: " in line]
        self._error((lines or text.strip().splitlines())[-1])

    def _begin(self, step: Any) -> None:
        if not _is_declared(step):
            return
        if self._command != "refresh":
            self._add(step)
        if step.op.value in CHANGES:
            self._begun[step.urn] = time.monotonic()

    def _add(self, step: Any) -> None:
        options = {"protect": bool(step.new and step.new.protect)}
        options["retainOnDelete"] = bool(step.new and step.new.retain_on_delete)
        self.steps.append({"op": str(step.op.value), "urn": step.urn, **options})

    def _end(self, step: Any) -> None:
        if step.type == STACK_TYPE:
            old, new = ((state.outputs or {}) if state else {} for state in (step.old, step.new))
            self._models = old.get("accessModel"), new.get("accessModel")
        if not _is_declared(step):
            return
        operation = str(step.op.value)
        self._counts[operation] += 1
        started = self._begun.pop(step.urn, None)
        self._reasons.pop(step.urn, None)
        if self._command == "refresh":
            # Only now it is known what was found.
            self._add(step)
        if operation in CHANGES:
            took = f" ({time.monotonic() - started:.1f} s)" if started is not None else ""
            line = f"{operation} {step.type} {name_of(step.urn)}"
            if self._command != "preview":
                self._print(f"{line}{took}")
            else:
                self._details.append(line)
            if self._command in ("preview", "refresh") and operation != "create":
                self._details += [f"  {text}" for text in changed(step)]

    def _message(self, diagnostic: Any) -> None:
        text = _COLORS.sub("", diagnostic.message).strip()
        if diagnostic.ephemeral or diagnostic.severity == "debug":
            if diagnostic.urn in self._begun:
                self._reasons[diagnostic.urn] = text.splitlines()[0] if text else ""
            return
        for line in text.splitlines():
            if line.strip() and line not in self._said and not line.startswith(_WRAPPERS):
                self._said.add(line)
                if diagnostic.severity == "error":
                    self._error(line)
                else:
                    self._print(f"warning: {line}" if diagnostic.severity == "warning" else line)

    def _wait(self) -> None:
        text = waiting(self._begun, self._reasons, time.monotonic())
        if self._status:
            self._status.update(text)
        elif text and time.monotonic() - self._last > _EVERY:
            self._print(text)

    def _error(self, line: str) -> None:
        self.has_error = True
        self._errors.print(f"error: {line}")

    def _print(self, line: str) -> None:
        self._last = time.monotonic()
        self._console.print(line)


def changed(step: Any) -> list[str]:
    """Return a line for each input that a step changes, without the provider's internal inputs; pure."""
    old, new = ((state.inputs or {}) if state else {} for state in (step.old, step.new))
    before, after = (
        {key: masked(value) for key, value in side.items() if not key.startswith("__")} for side in (old, new)
    )
    return list(differences(before, after)) if old and new else []


def masked(value: Any) -> Any:
    """Return a value of the engine's events with its secrets replaced; pure."""
    if isinstance(value, dict):
        return "[secret]" if _SIGNATURE in value else {key: masked(item) for key, item in value.items()}
    return [masked(item) for item in value] if isinstance(value, list) else value


def waiting(begun: dict[str, float], reasons: dict[str, str], now: float) -> str:
    """Return the status line of a run: its oldest step, and the latest reason for waiting; pure.

    :param begun: when each step started, by URN.
    """
    if not begun:
        return ""
    urn, started = min(begun.items(), key=lambda item: item[1])
    reason = f": {reasons[urn]}" if reasons.get(urn) else ""
    others = f", and {len(begun) - 1} more" if len(begun) > 1 else ""
    return f"waiting for {name_of(urn)} ({now - started:.0f} s){reason}{others}"


def _is_declared(step: Any) -> bool:
    """Tell whether a step is of a provider's resource.

    Components repeat their children's changes, and providers and the stack are the engine's own.
    """
    return bool(step.provider) and not step.type.startswith("pulumi:")

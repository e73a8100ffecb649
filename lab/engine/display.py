"""Runs as text: what changed, property by property, and as JSON. Pure but for ``Console``, which prints."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self, TextIO

from lab.engine import plan, values
from lab.engine.plan import Step
from lab.engine.report import Change
from lab.engine.run import Outcome
from lab.engine.state import Resource, resource_to_json
from lab.engine.urn import PROVIDER_PREFIX, STACK_TYPE, name_of, type_of

if TYPE_CHECKING:
    from rich.live import Live

SYMBOLS: Final[Mapping[Step, str]] = {
    Step.SAME: "  ",
    Step.CREATE: "+ ",
    Step.UPDATE: "~ ",
    Step.REPLACE: "+-",
    Step.DELETE: "- ",
    Step.DELETE_REPLACED: "--",
    Step.READ: "> ",
}
_GOING_ON: Final[Mapping[Step, str]] = {
    Step.CREATE: "creating",
    Step.UPDATE: "updating",
    Step.REPLACE: "replacing",
    Step.DELETE: "deleting",
    Step.DELETE_REPLACED: "deleting original",
}
_DONE: Final[Mapping[Step, str]] = {
    Step.CREATE: "created",
    Step.UPDATE: "updated",
    Step.REPLACE: "replaced",
    Step.DELETE: "deleted",
    Step.DELETE_REPLACED: "deleted original",
    Step.READ: "read",
}
_COUNTED: Final = (Step.CREATE, Step.UPDATE, Step.REPLACE, Step.DELETE)
_ABSENT: Final = object()


def is_shown(change: Change) -> bool:
    """Tell whether a change is one that users see: not a default provider, and not nothing."""
    return not is_hidden(change.resource) and (change.step is not Step.SAME or bool(change.note))


def is_hidden(resource: Resource) -> bool:
    """Tell whether a resource is the engine's own affair."""
    return resource.type.startswith(PROVIDER_PREFIX) and name_of(resource.urn).startswith("default")


def counts(changes: Iterable[Change]) -> dict[Step, int]:
    """Count the changes by step; what a replacement deletes counts with it."""
    return Counter(change.step for change in changes if not is_hidden(change.resource))


def has_changes(changes: Iterable[Change]) -> bool:
    """Tell whether anything but reading was, or would be, done."""
    found = counts(changes)
    return any(found.get(step) for step in _COUNTED)


def summary(changes: Iterable[Change], *, preview: bool) -> list[str]:
    """Return the lines of counts that end a run."""
    found = counts(changes)
    lines = ["Resources:"]
    for step in _COUNTED:
        if found.get(step):
            text = f"to {step.value}" if preview else _DONE[step]
            lines.append(f"    {SYMBOLS[step].strip()} {found[step]} {text}")
    if found.get(Step.SAME):
        lines.append(f"    {found[Step.SAME]} unchanged")
    return lines if len(lines) > 1 else ["Resources: none"]


def headline(change: Change) -> str:
    """Return what a change is about: symbol, type and name."""
    resource = change.resource
    return f" {SYMBOLS[change.step]} {type_of(resource.urn)} {name_of(resource.urn)}"


def show(value: Any) -> str:
    """Return a value on one line, without any secret."""
    if isinstance(value, values.Secret):
        return "[secret]"
    if value is values.UNKNOWN:
        return "[unknown]"
    if isinstance(value, values.ResourceReference):
        return f"[resource {value.urn}]"
    if isinstance(value, str):
        return f'"{value}"' if len(value.splitlines()) <= 1 else repr(value)
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {show(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(show, value)) + "]"
    return str(value)


def tree(value: Any, indent: int) -> Iterator[str]:
    """Yield the lines of a value, a property each."""
    pad = " " * indent
    items: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, item in items:
        label = f"[{key}]" if isinstance(key, int) else key
        if isinstance(item, Mapping | list) and item:
            yield f"{pad}{label}:"
            yield from tree(item, indent + 4)
        else:
            yield f"{pad}{label}: {show(item)}"


def value_at(value: Any, path: str) -> Any:
    """Return what is at a property path; a secret on the way is what there is to see."""
    for key in plan.parse_path(path):
        if isinstance(value, values.Secret) or value is values.UNKNOWN:
            return value
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return value


def details(change: Change) -> list[str]:
    """Return the lines that say how a resource's inputs change."""
    if change.old is None and change.new is not None:
        return list(tree(change.new.inputs, 8))
    if change.new is None or change.old is None:
        return []
    lines = []
    for path in change.paths:
        before, after = value_at(change.old.inputs, path), value_at(change.new.inputs, path)
        forced = " [forces replacement]" if path in change.replace_paths else ""
        lines.append(f"      {_difference(path, before, after)}{forced}")
    return lines


def _difference(label: str, before: Any, after: Any) -> str:
    if before is _ABSENT:
        return f"+ {label}: {show(after)}"
    if after is _ABSENT:
        return f"- {label}: {show(before)}"
    return f"~ {label}: {show(before)} => {show(after)}"


def outputs(outcome: Outcome, *, preview: bool) -> list[str]:
    """Return the lines of the stack's outputs; of a preview only those that change."""
    lines = []
    for key in sorted({*outcome.old_outputs, *outcome.outputs}):
        before, after = outcome.old_outputs.get(key, _ABSENT), outcome.outputs.get(key, _ABSENT)
        if before != after:
            lines.append(f"  {_difference(key, before, after)}")
        elif not preview:
            lines.append(f"    {key}: {show(after)}")
    return ["Outputs:", *lines] if lines else []


def masked(value: Any) -> Any:
    """Return the value with every secret replaced by words that say so."""
    if isinstance(value, values.Secret):
        return "[secret]"
    if isinstance(value, dict):
        return {key: masked(item) for key, item in value.items()}
    return [masked(item) for item in value] if isinstance(value, list) else value


def to_json(outcome: Outcome, diagnostics: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return a run as the real CLI's ``preview --json`` gives it: steps, diagnostics, duration in ns, counts."""
    steps = []
    for change in outcome.changes:
        if is_hidden(change.resource):
            continue
        step: dict[str, Any] = {"op": change.step.value, "urn": change.resource.urn}
        for key, state in (("oldState", change.old), ("newState", change.new)):
            if state is not None:
                shown = replace(state, inputs=masked(state.inputs), outputs=masked(state.outputs))
                step[key] = resource_to_json(shown, None)
        if change.paths:
            step["diffReasons"] = list(change.paths)
        if change.replace_paths:
            step["replaceReasons"] = list(change.replace_paths)
        if change.note:
            step["note"] = change.note
        steps.append(step)
    return {
        "steps": steps,
        "diagnostics": list(diagnostics),
        "outputs": values.to_plain(masked(outcome.outputs)),
        "duration": int(outcome.seconds * 1e9),
        "changeSummary": {step.value: number for step, number in counts(outcome.changes).items()},
    }


class Console:
    """Shows a run on a terminal as it goes on, and elsewhere as plain lines.

    On a terminal what is under way stands below the lines of what is done, with the seconds it has taken.
    """

    def __init__(self, stream: TextIO = sys.stdout, *, preview: bool, diff: bool = False, quiet: bool = False) -> None:
        """Begin to show a run.

        :param diff: show each resource's properties.
        :param quiet: collect diagnostics only (for JSON).
        """
        self._stream = stream
        self._preview = preview
        self._diff = diff
        self._quiet = quiet
        self._under_way: dict[str, tuple[str, float, str]] = {}
        self._guard = threading.Lock()
        self._live: Live | None = None
        self.diagnostics: list[dict[str, str]] = []

    def __enter__(self) -> Self:
        """Start the live view where there is a terminal."""
        if not self._quiet and not self._preview and self._stream.isatty():
            from rich.console import Console as Terminal  # noqa: PLC0415 needed on a terminal only
            from rich.live import Live  # noqa: PLC0415

            self._live = Live(
                console=Terminal(file=self._stream, highlight=False, markup=False, soft_wrap=True),
                get_renderable=self._current,
                refresh_per_second=4,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the live view."""
        if self._live:
            self._live.stop()
            self._live = None

    def _current(self) -> str:
        with self._guard:
            rows = list(self._under_way.values())
        shown = 12
        moment = time.monotonic()
        lines = [f"{head} ({moment - started:.0f}s){text}" for head, started, text in rows[:shown]]
        if len(rows) > shown:
            lines.append(f"    and {len(rows) - shown} more")
        return "\n".join(lines)

    def print(self, *lines: str) -> None:
        """Print lines."""
        if self._quiet:
            return
        for line in lines:
            if self._live:
                self._live.console.print(line)
            else:
                print(line, file=self._stream, flush=True)

    def begin(self, change: Change) -> None:
        """Show that a provider call starts."""
        with self._guard:
            head = f"{headline(change)} {_GOING_ON.get(change.step, change.step.value)}"
            self._under_way[change.resource.urn] = (head, time.monotonic(), "")

    def status(self, urn: str, text: str) -> None:
        """Show what a call waits for; as a line of its own where there is no live view."""
        with self._guard:
            if urn not in self._under_way:
                return
            head, started, before = self._under_way[urn]
            self._under_way[urn] = (head, started, f": {text}")
        if not self._live and before != f": {text}":
            self.print(f"{head}: {text}")

    def end(self, change: Change, seconds: float) -> None:
        """Show that a change was made."""
        with self._guard:
            self._under_way.pop(change.resource.urn, None)
        if not is_shown(change):
            return
        word = change.step.value if self._preview else _DONE.get(change.step, change.step.value)
        duration = f" ({seconds:.2f}s)" if seconds and not self._preview else ""
        note = f" ({change.note})" if change.note else ""
        self.print(f"{headline(change)} {word}{duration}{note}", *(details(change) if self._diff else ()))

    def message(self, severity: str, text: str, urn: str = "") -> None:
        """Show something to read, and keep it for the end."""
        if severity == "debug":
            return
        where = "" if not urn or type_of(urn) == STACK_TYPE else f"{type_of(urn)} {name_of(urn)}: "
        if severity != "info":
            self.diagnostics.append({"severity": severity, "urn": urn, "message": text})
        self.print(*(f"{'' if severity == 'info' else f'{severity}: '}{where}{line}" for line in text.splitlines()))

"""The differences of two graphs for a reviewer: Markdown of limited length, most important changes first.

Pure. The text contains no secret of either graph.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from harness.against import Notes, Section
from harness.comparison import Change, Step
from harness.fields import differences, tree
from harness.graph import EMPTY
from harness.urn import type_of
from harness.values import has_secret, secret_texts

_BIG: Final = 1_000
"""Characters from which on a stack's output is not shown but counted."""
_SHORTEST_SECRET: Final = 8
"""Characters from which on a secret text is looked for where nothing marks it as one."""
_MOST_NOTES: Final = 300
_MOST_OF_A_FAULT: Final = 4_000
_CUT: Final = "\n\n**Cut short.**\n"

Key = tuple[int, int]
"""A change by the places of its section and of it therein."""


@dataclass
class _Left:
    """The parts that are left out to limit the text."""

    details: set[Key] = field(default_factory=set)
    outputs: set[int] = field(default_factory=set)
    rows: set[Key] = field(default_factory=set)


def document(
    sections: Sequence[Section], ref: str, *, first: Sequence[str] = (), notes: Notes | None = None, limit: int = 65_000
) -> str:
    """Return the Markdown for some stacks.

    :param ref: the git ref to compare with.
    :param first: the kinds of resources that matter most, most first: they come first, and while any other change is
        shown field by field none of them is left out.
    :param notes: gives lines for the head out of a stack's outputs before and after.
    :param limit: the most characters.
    """
    found = [_Stack.of(section, first) for section in sections]
    head = _head(sections, notes)
    left = _Left()
    secrets = _secrets(sections)
    droppable = list(_droppable(found))
    text = _text(found, ref, head, left, secrets)
    while len(text) > limit and droppable:
        excess = len(text) - limit
        while excess > 0 and droppable:
            excess -= droppable.pop(0).drop(left)
        text = _text(found, ref, head, left, secrets)
    return text if len(text) <= limit else text[: limit - len(_CUT)].rstrip() + _CUT


@dataclass(frozen=True)
class _Stack:
    """A section with its changes in display order, the first ``important`` ones of important kinds."""

    section: Section
    changes: tuple[Change, ...]
    details: tuple[str, ...]
    important: int
    outputs: str

    @staticmethod
    def of(section: Section, first: Sequence[str]) -> _Stack:
        """Sort and classify a section's changes."""
        changes = sorted(section.changes(), key=lambda change: _relevance(change, first))
        important = sum(_relevance(change, first)[0] < len(first) for change in changes)
        details = tuple(_folded(_title(change), "\n".join(_details(change))) for change in changes)
        return _Stack(section, tuple(changes), details, important, _folded("outputs", "\n".join(_outputs(section))))


@dataclass(frozen=True)
class _Part:
    """A part of the text that can be left out, with its length."""

    kind: str
    key: Key
    length: int

    def drop(self, left: _Left) -> int:
        """Leave it out, and return at most how much shorter the text is."""
        if self.kind == "outputs":
            left.outputs.add(self.key[0])
        else:
            (left.details if self.kind == "details" else left.rows).add(self.key)
        return self.length


def _droppable(stacks: Sequence[_Stack]) -> Iterator[_Part]:
    """Yield the parts that can be left out, least important first; rows of important kinds are never left out."""
    places = [(number, place) for number, stack in enumerate(stacks) for place in range(len(stack.changes))]
    # The last of each stack's changes before the second last of any.
    places.sort(key=lambda key: (len(stacks[key[0]].changes) - key[1], -key[0]))
    important = [key for key in places if key[1] < stacks[key[0]].important]
    others = [key for key in places if key[1] >= stacks[key[0]].important]

    def details(keys: Iterable[Key]) -> Iterator[_Part]:
        for key in keys:
            text = stacks[key[0]].details[key[1]]
            if text:
                yield _Part("details", key, len(text))

    yield from details(others)
    yield from (_Part("outputs", (number, 0), len(stack.outputs)) for number, stack in enumerate(stacks))
    yield from (_Part("rows", key, len(_row(stacks[key[0]].changes[key[1]]))) for key in others)
    yield from details(important)


def _relevance(change: Change, first: Sequence[str]) -> tuple[int, int, str, str]:
    item = change.resource
    kind = _kind(change)
    real = item.custom or item.remote
    rank = first.index(kind) if real and kind in first else len(first)
    # A component's inputs are those of what is in it.
    return rank, 0 if item.custom else 1 if item.remote else 2, kind, item.urn


def _kind(change: Change) -> str:
    return type_of(change.resource.urn).rpartition(":")[2]


def _details(change: Change) -> Iterator[str]:
    before, after = change.before, change.after
    if after is None or not (after.custom or after.remote):
        return
    if before is None:
        yield from (f"+ {line}" for line in tree(after.inputs))
        return
    yield from differences(before.inputs, after.inputs)
    yield from (f"! {name} cannot change in place" for name in change.replacing)


def _outputs(section: Section) -> Iterator[str]:
    before = section.before.outputs if section.before else {}
    after = section.after.outputs
    for key in sorted({*before, *after}):
        lines = list(
            differences({k: v for k, v in before.items() if k == key}, {k: v for k, v in after.items() if k == key})
        )
        text = "\n".join(lines)
        if len(text) <= _BIG:
            yield from lines
        else:
            yield f"! {key}: differs in {len(lines)} fields"


def _head(sections: Sequence[Section], notes: Notes | None) -> list[str]:
    """Return the notes' lines, each once, with its stacks if it does not apply to all."""
    said: dict[str, list[str]] = {}
    sound = [section for section in sections if not section.fault]
    for section in sound if notes else ():
        assert notes
        for line in notes(section.before.outputs if section.before else None, section.after.outputs):
            said.setdefault(line, []).append(section.stack)
    lines = [
        f"- {_code(line)}" + ("" if len(stacks) == len(sound) else f" ({', '.join(stacks)})")
        for line, stacks in said.items()
    ]
    more = len(lines) - _MOST_NOTES
    return lines if more <= 0 else [*lines[:_MOST_NOTES], f"- and {more} more"]


def _text(stacks: Sequence[_Stack], ref: str, head: Sequence[str], left: _Left, secrets: Iterable[str]) -> str:
    parts = ["\n".join(head)] if head else []
    seen: dict[str, str] = {}
    for number, stack in enumerate(stacks):
        parts += [f"### Stack `{stack.section.stack}` against `{ref}`", *_stack(stack, number, left, seen)]
    text = "\n\n".join(part for part in parts if part) + "\n"
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    return text


def _stack(stack: _Stack, number: int, left: _Left, seen: dict[str, str]) -> Iterator[str]:
    if stack.section.fault:
        yield f"The preview failed:\n\n{_fence('', stack.section.fault[:_MOST_OF_A_FAULT])}"
        return
    if not stack.changes:
        yield "No resource changes."
    else:
        found = Counter(change.step for change in stack.changes)
        yield ", ".join(f"{found[step]} to {step.value}" for step in Step if found[step]) + "."
        rows = [_row(change) for place, change in enumerate(stack.changes) if (number, place) not in left.rows]
        yield "\n".join(["| | Type | Name |", "|---|---|---|", *rows])
    yield _omitted("not listed", [change for place, change in enumerate(stack.changes) if (number, place) in left.rows])
    short = [c for place, c in enumerate(stack.changes) if (number, place) in left.details - left.rows]
    yield _omitted("not shown field by field", short)
    known: Counter[str] = Counter()
    for place, text in enumerate(stack.details):
        if text and (number, place) not in left.details:
            other = seen.setdefault(text, stack.section.stack)
            if other == stack.section.stack:
                yield text
            else:
                known[other] += 1
    yield from (f"Shown at stack `{other}`, with the same fields: {count}." for other, count in known.items())
    if number not in left.outputs:
        yield stack.outputs
    remote = [change.resource.name for change in stack.changes if change.resource.remote]
    if remote:
        yield f"What is in {', '.join(map(_code, remote))} is not looked into."


def _omitted(how: str, changes: Sequence[Change]) -> str:
    if not changes:
        return ""
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(map(_kind, changes)).items()))
    return f"**Left out, {how}: {len(changes)}** ({kinds})."


def _title(change: Change) -> str:
    return f"{change.step.value} {_kind(change)} <code>{change.resource.name}</code>"


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{_fence('diff', text)}\n\n</details>" if text else ""


def _row(change: Change) -> str:
    item = change.resource
    lost = change.step in (Step.DELETE, Step.REPLACE) and change.before is not None and change.before.protect
    return f"| {change.step.value}{' (protected)' if lost else ''} | {_code(item.type)} | {_code(item.name)} |"


def _code(text: str) -> str:
    return f"`{' '.join(text.replace('`', ' ').replace('|', ' ').split())}`"


def _fence(language: str, text: str) -> str:
    return f"```{language}\n{text.replace('```', '` ` `')}\n```"


def _secrets(sections: Iterable[Section]) -> list[str]:
    found: set[str] = set()
    for section in sections:
        for graph in (section.before or EMPTY, section.after):
            for item in graph.resources:
                for part in (item.inputs, item.outputs):
                    if has_secret(part):
                        found |= {text for text in secret_texts(part) if len(text) >= _SHORTEST_SECRET}
    return sorted(found, key=len, reverse=True)

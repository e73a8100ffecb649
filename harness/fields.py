"""The differences of two values by field, for a reviewer, without secrets. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from harness.values import Asset, ResourceReference, Secret, Unknown, alike

_ABSENT: Final = object()
_NAMES: Final = ("name", "id", "key", "host", "port")
"""Keys by one of which, in this order, the items of a list are told apart."""
_LONGEST: Final = 300
"""Characters of a value that are shown."""


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield a line for each field that differs, keys in order: ``+`` is new, ``-`` is removed, ``!`` is changed.

    Items of a list are matched by name where each has one, else by what they have in common, so that one item more is
    one line more.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            label = f"{path}.{key}" if path and _is_plain(key) else key if _is_plain(key) else f"{path}[{key}]"
            yield from differences(before.get(key, _ABSENT), after.get(key, _ABSENT), label)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _in_lists(before, after, path)
    elif isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
        yield from _in_texts(before, after, path)
    elif not alike(before, after) or type(before) is not type(after):
        if before is _ABSENT:
            yield f"+ {path}: {show(after)}"
        elif after is _ABSENT:
            yield f"- {path}: {show(before)}"
        else:
            yield f"! {path}: {show(before)} => {show(after)}"


def _is_plain(key: str) -> bool:
    return not set(key) & set(". []/")


def _in_lists(before: list[Any], after: list[Any], path: str) -> Iterator[str]:
    name = _name_of(before, after)
    if name:
        olds, news = ({item[name]: item for item in items} for items in (before, after))
        for key in dict.fromkeys((*olds, *news)):
            yield from differences(olds.get(key, _ABSENT), news.get(key, _ABSENT), f"{path}[{key}]")
    else:
        yield from _in_pairs(_unmatched(before, after), _unmatched(after, before), path)
    same = len(before) == len(after) and not _unmatched(before, after)
    if same and not all(map(alike, before, after)):
        yield f"! {path}: in another order"


def _name_of(*lists: Sequence[Any]) -> str | None:
    """Return the key that identifies the items of all lists; None if there is none."""
    for name in _NAMES:
        keys = [[item.get(name) if isinstance(item, Mapping) else None for item in items] for items in lists]
        named = all(isinstance(key, str | int) for found in keys for key in found)
        if named and all(len(set(found)) == len(found) for found in keys):
            return name
    return None


def _unmatched(items: list[Any], others: list[Any]) -> list[tuple[int, Any]]:
    """Return the items, with their places, that have none like them among the others, each of which is used once."""
    left = list(others)
    found = []
    for index, item in enumerate(items):
        twin = next((place for place, other in enumerate(left) if alike(item, other)), None)
        if twin is None:
            found.append((index, item))
        else:
            del left[twin]
    return found


def _in_pairs(before: list[tuple[int, Any]], after: list[tuple[int, Any]], path: str) -> Iterator[str]:
    """Yield the differences of items that have no name: each against the one that is most like it, if half is alike."""
    left = list(after)
    for place, item in before:
        leaves = set(_leaves(item))
        shared = [len(leaves & set(_leaves(other))) for _, other in left]
        best = max(shared, default=0)
        if isinstance(item, Mapping | list) and best * 2 >= len(leaves):
            index, other = left.pop(shared.index(best))
            yield from differences(item, other, f"{path}[{index}]")
        else:
            yield f"- {path}[{place}]: {show(item)}"
    yield from (f"+ {path}[{index}]: {show(item)}" for index, item in left)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, f"{path}[]")
    else:
        yield path, show(value)


def _in_texts(before: str, after: str, path: str) -> Iterator[str]:
    """Yield the lines that differ in texts of several lines."""
    olds: list[Any] = before.splitlines()
    news: list[Any] = after.splitlines()
    gone, new = _unmatched(olds, news), _unmatched(news, olds)
    yield from (f"- {path}: {_short(line)}" for _, line in gone)
    yield from (f"+ {path}: {_short(line)}" for _, line in new)
    if not gone and not new and before != after:
        yield f"! {path}: lines in another order"


def show(value: Any) -> str:
    """Return a value on one line, keys in order, without secrets, and shortened if it is long."""
    return _short(_text(value))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"


def _text(value: Any) -> str:
    if isinstance(value, Secret):
        return "[secret]"
    if isinstance(value, Unknown):
        return "[unknown]"
    if isinstance(value, ResourceReference):
        return f"[resource {value.urn}]"
    if isinstance(value, Asset):
        return f"[asset {value.fields.get('path') or value.fields.get('uri') or 'text'}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_text(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def tree(value: Mapping[str, Any], indent: int = 0) -> Iterator[str]:
    """Yield the lines of a value as YAML, keys in order."""
    for key in sorted(value):
        yield from _branch(f"{key}:", value[key], indent)


def _branch(label: str, value: Any, indent: int) -> Iterator[str]:
    pad = " " * indent
    if isinstance(value, Mapping) and value:
        yield f"{pad}{label}"
        yield from tree(value, indent + 2)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        yield f"{pad}{label}"
        for item in value:
            if isinstance(item, Mapping) and item:
                first, *rest = tree(item, indent + 2)
                yield f"{pad}- {first.strip()}"
                yield from rest
            else:
                yield f"{pad}- {show(item)}"
    else:
        yield f"{pad}{label} {show(value)}"

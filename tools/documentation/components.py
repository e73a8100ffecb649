"""A diagram of the program's components and of what must be there before what, out of its resource graph. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping

from harness.graph import Resource

_OURS = "kafka-on-istio:index:"
_IN_CHART = ":Chart$"
_WIDTH = 26


def diagram(resources: Iterable[Resource]) -> str:
    """Return a Mermaid flowchart: a box per type of component, an arrow from what comes first to what needs it.

    In a box are the components of that type, those inside of them, and the kinds of resources that they make; what a
    chart holds is not among them. Arrows that follow from others are left out.
    """
    known = {item.urn: item for item in resources}
    boxes: dict[str, list[Resource]] = {}
    for item in known.values():
        top = _top(item, known)
        if top:
            boxes.setdefault(_noun(top), []).append(item)
    earlier = {noun: set(_needed(items, known)) - {noun} for noun, items in boxes.items()}
    lines = [f'    {noun}["{"<br/>".join(_label(items))}"]' for noun, items in sorted(boxes.items())]
    lines += [f"    {first} --> {noun}" for noun in sorted(boxes) for first in sorted(_direct(noun, earlier))]
    return "\n".join(["flowchart TD", *lines])


def _top(item: Resource, known: Mapping[str, Resource]) -> Resource | None:
    """Return the outermost component that a resource is in, or is; None if there is none."""
    above = known.get(item.parent)
    return (_top(above, known) if above else None) or (item if item.type.startswith(_OURS) else None)


def _noun(item: Resource) -> str:
    return item.type.rpartition(":")[2]


def _needed(items: Iterable[Resource], known: Mapping[str, Resource]) -> Iterator[str]:
    for item in items:
        for need in item.needs():
            top = _top(known[need], known) if need in known else None
            if top:
                yield _noun(top)


def _label(items: Iterable[Resource]) -> Iterator[str]:
    components: dict[str, list[str]] = {}
    kinds = set()
    for item in items:
        if item.type.startswith(_OURS):
            components.setdefault(_noun(item), []).append(item.name)
        elif _IN_CHART not in item.urn and not item.external:
            kinds.add(_noun(item))
    for noun, names in sorted(components.items()):
        yield f"<b>{noun}</b>"
        yield from sorted(names)
    yield from (f"<i>{line}</i>" for line in textwrap.wrap(", ".join(sorted(kinds)), _WIDTH))


def _direct(noun: str, earlier: Mapping[str, set[str]]) -> set[str]:
    """Return what a box needs and does not get through another of its needs."""
    return earlier[noun] - {first for need in earlier[noun] for first in _before(need, earlier)}


def _before(noun: str, earlier: Mapping[str, set[str]]) -> set[str]:
    return earlier[noun].union(*(_before(first, earlier) for first in earlier[noun]))

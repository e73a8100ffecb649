"""Places nodes in layers, so that edges go one way and rarely cross. Pure; independent of pixels and direction.

Layers are numbered from 0. Within a layer, positions are in widths of a node, 0 in the middle. An edge that passes
layers has a place in each of them, narrower than a node (after Sugiyama, Tagawa and Toda, 1981).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

_NARROW: Final = 0.4
"""Width of the place of an edge that passes a layer."""
_SWEEPS: Final = 8

Place = tuple[int, float]
"""A layer, and a position in it."""
_Link = tuple[str, str]
_Stop = str | tuple[_Link, int]
"""A node, or an edge in a layer that it passes."""


@dataclass(frozen=True)
class Layout:
    """Where nodes are, and where each edge goes: the places of its source, of what it passes, and of its target.

    ``layers`` is the number of layers, ``breadth`` the width of the widest.
    """

    layers: int
    breadth: float
    nodes: Mapping[str, Place]
    edges: Mapping[_Link, tuple[Place, ...]]


def layout(nodes: Sequence[str], edges: Sequence[_Link]) -> Layout:
    """Place nodes; their order breaks ties. Edges that close a cycle go backwards."""
    layer = _layers(nodes, edges)
    rows: list[list[_Stop]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for node in nodes:
        rows[layer[node]].append(node)
    routes = {edge: _route(edge, layer) for edge in edges}
    for route in routes.values():
        for stop in route:
            if isinstance(stop, tuple):
                rows[stop[1]].append(stop)
    _untangle(rows, [link for route in routes.values() for link in pairwise(route)])
    places = {stop: (number, at) for number, row in enumerate(rows) for stop, at in _positions(row).items()}
    return Layout(
        layers=len(rows),
        breadth=max((sum(map(_width, row)) for row in rows), default=0),
        nodes={node: places[node] for node in nodes},
        edges={edge: tuple(places[stop] for stop in route) for edge, route in routes.items()},
    )


def _width(stop: _Stop) -> float:
    return 1 if isinstance(stop, str) else _NARROW


def _layers(nodes: Sequence[str], edges: Sequence[_Link]) -> dict[str, int]:
    """Return each node's layer: as early as what leads to it allows, then as late as what it leads to allows."""
    order, forward = _order(nodes, edges)
    layer = dict.fromkeys(nodes, 0)
    for node in order:
        layer[node] = max((layer[source] + 1 for source, target in forward if target == node), default=0)
    for node in reversed(order):
        layer[node] = min((layer[target] - 1 for source, target in forward if source == node), default=layer[node])
    return layer


def _order(nodes: Sequence[str], edges: Sequence[_Link]) -> tuple[list[str], list[_Link]]:
    """Return the nodes, sources first, and the edges that go forward in that order."""
    order: list[str] = []
    seen: set[str] = set()

    def visit(node: str) -> None:
        if node not in seen:
            seen.add(node)
            for source, target in edges:
                if source == node:
                    visit(target)
            order.append(node)

    for node in nodes:
        visit(node)
    order.reverse()
    rank = {node: number for number, node in enumerate(order)}
    return order, [edge for edge in edges if rank[edge[0]] < rank[edge[1]]]


def _route(edge: _Link, layer: Mapping[str, int]) -> list[_Stop]:
    source, target = layer[edge[0]], layer[edge[1]]
    step = 1 if target >= source else -1
    passed: list[_Stop] = [(edge, number) for number in range(source + step, target, step)]
    return [edge[0], *passed, edge[1]]


def _untangle(rows: list[list[_Stop]], links: Sequence[tuple[_Stop, _Stop]]) -> None:
    """Order each row by where its neighbours in the next row are, from one end to the other and back."""
    near: dict[_Stop, list[_Stop]] = {}
    for one, two in links:
        near.setdefault(one, []).append(two)
        near.setdefault(two, []).append(one)
    for _ in range(_SWEEPS):
        for fixed, moved in pairwise(rows):
            _sort(moved, fixed, near)
        for fixed, moved in pairwise(reversed(rows)):
            _sort(moved, fixed, near)


def _sort(row: list[_Stop], fixed: Sequence[_Stop], near: Mapping[_Stop, Sequence[_Stop]]) -> None:
    own, others = _positions(row), _positions(fixed)

    def centre(stop: _Stop) -> float:
        found = [others[other] for other in near.get(stop, ()) if other in others]
        return sum(found) / len(found) if found else own[stop]

    row.sort(key=centre)


def _positions(row: Sequence[_Stop]) -> dict[_Stop, float]:
    """Return the middles of what is in a row, the row's own middle being 0."""
    ends = list(accumulate(map(_width, row), initial=-sum(map(_width, row)) / 2))
    return {stop: (start + end) / 2 for stop, (start, end) in zip(row, pairwise(ends), strict=True)}

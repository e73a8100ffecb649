"""Assigns records of calls to edges of the graph, and counts them per second. Pure, without a clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from lab.watch.graph import Edge, Graph, Kind, Node

_SPAN: Final = 10.0
"""Seconds over which a rate is the mean."""


class Key(NamedTuple):
    """The fields that records of one count share.

    ``answered`` is the version of the destination that the reply in the record names, and empty where it names none.
    """

    topic: str
    origin: str
    version: str
    destination: str
    answered: str


@dataclass(frozen=True)
class Counts:
    """Counts from Kafka: records by key, and the number of records of each topic that the group has committed."""

    records: Mapping[Key, int]
    reported: Mapping[str, int]


def by_edge(graph: Graph, counts: Counts) -> dict[str, int | None]:
    """Return the count of each edge by its id; None if Kafka does not have it.

    A call is told by the record of the one called where there is one caller, else by the caller's, which names the
    service, and the version if the reply did. Of a topic those are read that the group has committed.
    """
    return {edge.id: _count(graph, edge, counts) for edge in graph.edges}


def unmatched(graph: Graph, counts: Counts) -> int:
    """Return the number of records without a declared writer."""
    writers = [(edge.target, graph.node(edge.source)) for edge in graph.edges if edge.kind is Kind.WRITE]
    return sum(
        number
        for key, number in counts.records.items()
        if not any(topic == f"topic/{key.topic}" and _wrote(node, key) for topic, node in writers)
    )


def _count(graph: Graph, edge: Edge, counts: Counts) -> int | None:
    source, target = graph.node(edge.source), graph.node(edge.target)
    match edge.kind:
        case Kind.READ:
            return counts.reported.get(source.id.removeprefix("topic/"))
        case Kind.WRITE:
            topic = target.id.removeprefix("topic/")
            if topic not in counts.reported:
                return None
            return sum(number for key, number in counts.records.items() if key.topic == topic and _wrote(source, key))
        case Kind.CALL:
            return _calls(graph, source, target, counts.records)


def _calls(graph: Graph, source: Node, target: Node, records: Mapping[Key, int]) -> int | None:
    callers = [edge for edge in graph.into(target.id) if edge.kind is Kind.CALL]
    if len(callers) == 1 and _writes(graph, target):
        return sum(number for key, number in records.items() if _wrote(target, key))
    if not _writes(graph, source):
        return None
    name, versions = target.name, {node.detail for node in graph.nodes if node.name == target.name}
    made = {key: number for key, number in records.items() if _wrote(source, key) and key.destination == name.upper()}
    if len(versions) == 1:
        return sum(made.values())
    if made and not any(key.answered in versions for key in made):
        return None
    return sum(number for key, number in made.items() if key.answered == target.detail)


def _writes(graph: Graph, node: Node) -> bool:
    return any(edge.kind is Kind.WRITE for edge in graph.out_of(node.id))


def _wrote(node: Node, key: Key) -> bool:
    return node.kind == "service" and key.origin == node.name.upper() and key.version == node.detail


@dataclass
class Rate:
    """The mean growth of a count over the last seconds, from samples."""

    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def of(self, count: int, now: float) -> float:
        """Add a count at a time in seconds, and return its growth per second."""
        if self._seen and count < self._seen[-1][1]:
            # The records are counted anew.
            self._seen.clear()
        self._seen.append((now, count))
        while len(self._seen) > 1 and self._seen[1][0] <= now - _SPAN:
            self._seen.popleft()
        since, before = self._seen[0]
        return (count - before) / max(now - since, 1)

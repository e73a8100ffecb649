"""The graph of calls and topics, from the access model. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from os.path import commonprefix

from kafka_on_istio.access.model import AccessModel, Role, Workload


class Kind(str, Enum):
    """The kind of an edge: a call, written records, or read records."""

    CALL = "call"
    WRITE = "write"
    READ = "read"


@dataclass(frozen=True)
class Node:
    """A caller from outside, a version of a service, or a topic.

    ``kind`` is ``entry``, ``service`` or ``topic``; ``detail`` is the text below the name.
    """

    id: str
    kind: str
    name: str
    detail: str


@dataclass(frozen=True)
class Edge:
    """An allowed connection from one node to another, and its facts: names and values, in display order."""

    source: str
    target: str
    kind: Kind
    facts: tuple[tuple[str, str], ...]

    @property
    def id(self) -> str:
        """Id of the edge in its graph."""
        return f"{self.source} > {self.target}"


@dataclass(frozen=True)
class Graph:
    """Nodes, and the edges between them."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def node(self, identifier: str) -> Node:
        """Return the node of that id; raises StopIteration if there is none."""
        return next(node for node in self.nodes if node.id == identifier)

    def into(self, identifier: str) -> tuple[Edge, ...]:
        """Return the edges that end at a node."""
        return tuple(edge for edge in self.edges if edge.target == identifier)

    def out_of(self, identifier: str) -> tuple[Edge, ...]:
        """Return the edges that start at a node."""
        return tuple(edge for edge in self.edges if edge.source == identifier)


def graph(model: AccessModel) -> Graph:
    """Return the graph of an access model: declared calls, and topics with their users."""
    workloads = {workload.id: workload for workload in model.workloads}
    edges = _merged((*_calls(model), *_records(model)))
    used = dict.fromkeys(end for edge in edges for end in (edge.source, edge.target))
    prefix = _prefix(model.topics)
    nodes = [
        _workload(workloads[identifier], model) if identifier in workloads else _topic(identifier, prefix)
        for identifier in used
    ]
    return Graph(tuple(nodes), edges)


def _merged(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Return one edge for all that connect the same nodes, with the facts of all."""
    found: dict[str, Edge] = {}
    for edge in edges:
        before = found.get(edge.id)
        facts = dict.fromkeys((*(before.facts if before else ()), *edge.facts))
        found[edge.id] = replace(edge, facts=tuple(facts))
    return tuple(found.values())


def _calls(model: AccessModel) -> Iterator[Edge]:
    for edge in model.edges:
        if edge.method is not None:
            facts = (("request", f"{edge.method} {edge.path}"), ("port", str(edge.port)))
            yield Edge(edge.source, edge.destination, Kind.CALL, facts)


def _records(model: AccessModel) -> Iterator[Edge]:
    for user in model.users:
        facts = (("Kafka user", user.name),)
        for acl in user.acls:
            if acl.resource != "topic":
                continue
            for workload in user.workloads:
                if "Write" in acl.operations:
                    yield Edge(workload, _topic_id(acl.name), Kind.WRITE, facts)
                if "Read" in acl.operations:
                    yield Edge(_topic_id(acl.name), workload, Kind.READ, facts)


def _topic_id(topic: str) -> str:
    return f"topic/{topic}"


def _workload(workload: Workload, model: AccessModel) -> Node:
    if workload.role is Role.SERVICE:
        return Node(workload.id, "service", workload.labels["app"], workload.labels["version"])
    if model.mesh.data_plane == "none":
        return Node(workload.id, "entry", "you", "no gateway")
    return Node(workload.id, "entry", "gateway", ", ".join(entry.path for entry in model.entries))


def _topic(identifier: str, prefix: str) -> Node:
    return Node(identifier, "topic", identifier.removeprefix("topic/").removeprefix(prefix), "topic")


def _prefix(topics: Sequence[str]) -> str:
    """Return the common prefix of all topics, up to a hyphen; empty if there is only one topic."""
    common = commonprefix(list(topics)) if len(topics) > 1 else ""  # noqa: RUF071 of characters it is
    return common[: common.rfind("-") + 1]

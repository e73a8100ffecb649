"""The state of the page: the graph with its counts, the report, and current problems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from lab.watch.counts import Counts, Key, Rate, by_edge, unmatched
from lab.watch.graph import Edge, Graph
from lab.watch.layout import Layout, layout
from lab.watch.proxies import Proxies
from lab.watch.report import Report


@dataclass
class Watch:
    """The state of the page, from the reader's and the consumer's output, and their faults."""

    lab: str
    graph: Graph
    proxies: Proxies
    report: Report = field(default_factory=Report)
    _layout: Layout = field(init=False)
    _unmatched: int = 0
    _means: dict[str, Rate] = field(default_factory=dict)
    _edges: dict[str, tuple[int | None, float | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Place the nodes."""
        edges = [(edge.source, edge.target) for edge in self.graph.edges]
        self._layout = layout([node.id for node in self.graph.nodes], edges)

    def count(self, line: str, now: float) -> None:
        """Take a line of the reader; until all that was there at its start is counted, the counts before it stand.

        :param now: seconds of a clock that does not jump, for the rates.
        """
        told = orjson.loads(line)
        if not told["complete"]:
            return
        counts = Counts({Key(*key): number for *key, number in told["records"]}, told["reported"])
        self._unmatched = told["unreadable"] + unmatched(self.graph, counts)
        for edge, count in by_edge(self.graph, counts).items():
            rate = None if count is None else self._means.setdefault(edge, Rate()).of(count, now)
            self._edges[edge] = (count, rate)

    def state(self, faults: Mapping[str, str | None]) -> dict[str, Any]:
        """Return the page's state, as plain JSON.

        ``lab``; ``faults``, lines; ``counted``, whether counts are there; ``unmatched``, records of no edge;
        ``graph``: ``layers``, ``breadth``, ``nodes`` (id, kind, name, detail, place) and ``edges`` (id, source,
        target, kind, places, count, rate, facts; a count and a rate are None where nothing tells them); ``report``:
        windows as in Report.

        :param faults: by what is wrong, why; None where all is well.
        """
        return {
            "lab": self.lab,
            "faults": [f"{what}: {why}" for what, why in faults.items() if why is not None],
            "counted": bool(self._edges),
            "unmatched": self._unmatched,
            "graph": {
                "layers": self._layout.layers,
                "breadth": self._layout.breadth,
                "nodes": [
                    {
                        "id": node.id,
                        "kind": node.kind,
                        "name": node.name,
                        "detail": node.detail,
                        "place": self._layout.nodes[node.id],
                    }
                    for node in self.graph.nodes
                ],
                "edges": [self._edge(edge) for edge in self.graph.edges],
            },
            "report": self.report.rows(),
        }

    def _edge(self, edge: Edge) -> dict[str, Any]:
        count, rate = self._edges.get(edge.id, (None, None))
        return {
            "id": edge.id,
            "source": edge.source,
            "target": edge.target,
            "kind": edge.kind.value,
            "places": self._layout.edges[edge.source, edge.target],
            "count": count,
            "rate": None if rate is None else round(rate, 1),
            "facts": (*edge.facts, *self.proxies.facts(edge.source, edge.target)),
        }

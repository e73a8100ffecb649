"""The graph that is made of the access model, and where its nodes are."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.watch.graph import Kind, graph
from lab.watch.layout import layout
from tests.watch.example import model

pytestmark = pytest.mark.unit


def test_the_graph_has_calls_topics_and_what_is_known_of_each_edge() -> None:
    found = graph(model())
    assert [(node.kind, node.name, node.detail) for node in found.nodes] == [
        ("entry", "you", "no gateway"),
        ("service", "customer", "v1"),
        ("service", "preference", "v1"),
        ("service", "preference", "v2"),
        ("topic", "customer", "topic"),
        ("topic", "preference", "topic"),
        ("service", "consumer", "v1"),
        ("topic", "aggregated", "topic"),
    ]
    assert [(edge.source, edge.kind, edge.target) for edge in found.edges] == [
        ("mesh/gateway", Kind.CALL, "app/customer-v1"),
        ("app/customer-v1", Kind.CALL, "app/preference-v1"),
        ("app/customer-v1", Kind.CALL, "app/preference-v2"),
        ("app/customer-v1", Kind.WRITE, "topic/log-customer"),
        ("app/preference-v1", Kind.WRITE, "topic/log-preference"),
        ("app/preference-v2", Kind.WRITE, "topic/log-preference"),
        ("topic/log-customer", Kind.READ, "app/consumer-v1"),
        ("topic/log-preference", Kind.READ, "app/consumer-v1"),
        ("app/consumer-v1", Kind.WRITE, "topic/log-aggregated"),
    ]
    assert found.edges[0].facts == (("request", "GET /"), ("port", "8080"))
    assert found.edges[-1].facts == (("Kafka user", "consumer-user"),)


def test_two_declared_calls_between_the_same_are_one_edge() -> None:
    declared = model()
    also = replace(declared.edges[1], method="POST", path="/x")
    found = graph(replace(declared, edges=(*declared.edges, also)))
    assert len(found.edges) == 9
    assert found.edges[1].facts == (("request", "GET /"), ("port", "8080"), ("request", "POST /x"))


def test_with_a_mesh_calls_enter_at_the_gateway() -> None:
    declared = model(data_plane="sidecar")
    assert next((node.name, node.detail) for node in graph(declared).nodes) == ("gateway", "/customer")


CHAIN = ["you", "a", "b", "c1", "c2", "ta", "tb", "tc", "reader"]
EDGES = [
    ("you", "a"),
    ("a", "b"),
    ("b", "c1"),
    ("b", "c2"),
    ("a", "ta"),
    ("b", "tb"),
    ("c1", "tc"),
    ("c2", "tc"),
    ("ta", "reader"),
    ("tb", "reader"),
    ("tc", "reader"),
]


def test_a_chain_is_in_layers_with_its_topics_beside_each_other() -> None:
    found = layout(CHAIN, EDGES)
    assert {node: layer for node, (layer, _) in found.nodes.items()} == {
        "you": 0,
        "a": 1,
        "b": 2,
        "c1": 3,
        "c2": 3,
        "ta": 4,
        "tb": 4,
        "tc": 4,
        "reader": 5,
    }
    assert [layer for layer, _ in found.edges["a", "ta"]] == [1, 2, 3, 4]
    assert crossings(found.edges) == 0


def crossings(edges: Any) -> int:
    """Count the pairs of edges that cross between two layers."""
    steps = [(*one, *two) for places in edges.values() for one, two in pairwise(places)]
    return sum(
        first[0] == second[0] and (first[1] - second[1]) * (first[3] - second[3]) < 0
        for number, first in enumerate(steps)
        for second in steps[:number]
    )


def test_nothing_has_a_layout() -> None:
    assert layout([], []).layers == 0


def test_services_that_call_each_other_are_drawn_too() -> None:
    found = layout(["a", "b"], [("a", "b"), ("b", "a")])
    assert [place[0] for place in found.edges["b", "a"]] == [1, 0]


nodes = st.integers(0, 7).map("n{}".format)
links = st.tuples(nodes, nodes).filter(lambda link: link[0] != link[1])


@given(st.lists(links, unique=True, max_size=16))
def test_in_any_graph_no_two_places_overlap_and_edges_without_circles_go_forward(edges: list[tuple[str, str]]) -> None:
    names = list(dict.fromkeys(name for edge in edges for name in edge))
    found = layout(names, edges)
    places = sorted(found.nodes.values())
    passed = sorted(place for route in found.edges.values() for place in route[1:-1])
    assert all(two[1] - one[1] > 0.99 for one, two in pairwise(places) if one[0] == two[0])
    assert all(two[1] - one[1] > 0.3 for one, two in pairwise(passed) if one[0] == two[0])
    assert all(abs(place[1] - other[1]) >= 0.69 for place in places for other in passed if place[0] == other[0])
    assert all(abs(two[0] - one[0]) == 1 for route in found.edges.values() for one, two in pairwise(route))
    acyclic = [edge for edge in edges if int(edge[0][1]) < int(edge[1][1])]
    for route in layout(names, acyclic).edges.values():
        assert [place[0] for place in route] == list(range(route[0][0], route[-1][0] + 1))

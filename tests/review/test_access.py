"""What a change of the access model is told as."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from review.access import access_changes, output_changes

pytestmark = pytest.mark.unit


def workload(name: str, *, sidecar: bool = True, **labels: str) -> dict[str, Any]:
    return {"id": f"demo/{name}", "principal": f"local/sa/{name}", "labels": labels, "sidecar": sidecar}


def call(source: str, destination: str, path: str = "/", method: str = "GET") -> dict[str, Any]:
    return edge(source, destination, 8080) | {"method": method, "path": path}


def edge(source: str, destination: str, port: int, authentication: str = "mesh") -> dict[str, Any]:
    ends = {"source": f"demo/{source}", "destination": f"demo/{destination}"}
    return ends | {"port": port, "protocol": "tcp", "authentication": authentication, "method": None, "path": None}


def model() -> dict[str, Any]:
    """A shop in two versions that calls a stock, writes to a broker, and may ask for the time."""
    return {
        "mesh": {"dataPlane": "sidecar", "trustDomain": "local"},
        "workloads": [
            workload("shop-v1", app="shop", version="v1"),
            workload("shop-v2", app="shop", version="v2"),
            workload("stock-v1", app="stock", version="v1"),
            workload("broker"),
        ],
        "edges": [
            *(call(f"shop-{version}", "stock-v1") for version in ("v1", "v2")),
            *(edge(f"shop-{version}", "broker", 9092) for version in ("v1", "v2")),
        ],
        "entries": [{"method": "GET", "path": "/shop", "target": "/", "service": "shop"}],
        "topics": ["sold"],
        "users": [
            {
                "name": "shop-writer",
                "service": "shop",
                "workloads": ["demo/shop-v1", "demo/shop-v2"],
                "acls": [{"resource": "topic", "name": "sold", "operations": ["Write", "Describe"]}],
            }
        ],
        "externalHosts": [{"host": "time.example", "port": 80, "protocol": "HTTP", "sources": ["demo/shop-v2"]}],
        "infrastructure": [
            {
                "name": "dns",
                "ports": [53],
                "sources": [f"demo/{name}" for name in ("shop-v1", "shop-v2", "stock-v1", "broker")],
                "addresses": [],
            }
        ],
    }


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (lambda m: m, []),
        # As many versions as there are call, or are called.
        (
            lambda m: m["edges"].extend([call("shop-v1", "stock-v1", "/points"), call("shop-v2", "stock-v1", "/points")]),
            ["new: shop -> stock GET /points"],
        ),
        (lambda m: m["edges"].append(call("stock-v1", "shop-v2", "/", "POST")), ["new: stock -> shop POST /"]),
        (lambda m: m["edges"].__delitem__(slice(0, 2)), ["gone: shop -> stock GET /"]),
        (lambda m: m["edges"].pop(0), ["gone: shop v1 -> stock v1 GET /"]),
        (lambda m: m["edges"].append(edge("stock-v1", "broker", 9092)), ["new: stock -> broker:9092"]),
        (
            lambda m: m["edges"].append(edge("broker", "stock-v1", 15090, "network")),
            ["new: broker -> stock:15090 (authentication: network)"],
        ),
        (
            lambda m: m["edges"][3].update(authentication="network"),
            ["new: shop -> broker:9092 (authentication: network)", "gone: shop v2 -> broker:9092"],
        ),
        (
            lambda m: m["entries"].append({"method": "GET", "path": "/stock", "target": "/stock", "service": "stock"}),
            ["new: outside -> stock GET /stock"],
        ),
        (
            lambda m: m["entries"][0].update(target="/other"),
            ["new: outside -> shop GET /shop as /other", "gone: outside -> shop GET /shop as /"],
        ),
        (lambda m: m.update(externalHosts=[]), ["gone: time.example:80 for shop v2"]),
        (lambda m: m["externalHosts"][0]["sources"].append("demo/shop-v1"), ["new: shop v1 -> time.example:80"]),
        (lambda m: m["topics"].append("bought"), ["new: topic bought"]),
        (
            lambda m: m["users"][0]["acls"][0]["operations"].append("Read"),
            ["new: shop-writer may Read topic sold"],
        ),
        (
            lambda m: m["users"][0]["acls"].append({"resource": "group", "name": "g", "operations": ["Read", "Describe"]}),
            ["new: shop-writer may Describe, Read group g"],
        ),
        (lambda m: m["users"][0]["workloads"].append("demo/stock-v1"), ["new: stock v1 is shop-writer"]),
        (
            lambda m: m.update(users=[]),
            [
                "gone: Kafka user shop-writer of shop",
                "gone: shop v1 is shop-writer",
                "gone: shop v2 is shop-writer",
                "gone: shop-writer may Describe, Write topic sold",
            ],
        ),
        (lambda m: m["workloads"][2].update(sidecar=False), ["new: workload stock v1 without a sidecar"]),
        (
            lambda m: m["workloads"][3].update(principal="local/sa/other"),
            ["new: workload broker as local/sa/other", "gone: workload broker as local/sa/broker"],
        ),
        (
            lambda m: m["mesh"].update(dataPlane="none"),
            ["new: mesh with dataPlane none", "gone: mesh with dataPlane sidecar"],
        ),
        (lambda m: m["infrastructure"][0]["sources"].pop(), ["gone: broker -> dns:53"]),
        (lambda m: m["infrastructure"][0]["addresses"].append("10.0.0.0/8"), ["new: dns at 10.0.0.0/8"]),
    ],
)  # fmt: skip
def test_each_change_is_a_line_and_none_is_told_that_is_none(change: Change, lines: list[str]) -> None:
    before, after = model(), copy.deepcopy(model())
    change(after)
    assert access_changes(before, after) == lines


def test_what_a_new_workload_needs_of_the_mesh_is_not_told_apart_from_it() -> None:
    after = model()
    after["workloads"].append(workload("audit-v1", app="audit", version="v1"))
    after["infrastructure"][0]["sources"].append("demo/audit-v1")
    after["users"].append({"name": "audit-reader", "service": "audit", "workloads": ["demo/audit-v1"], "acls": []})
    assert access_changes(model(), after) == [
        "new: Kafka user audit-reader of audit",
        "new: workload audit v1 as local/sa/audit-v1",
    ]


def test_a_new_version_of_a_service_is_named() -> None:
    after = model()
    after["workloads"].append(workload("stock-v2", app="stock", version="v2"))
    after["edges"] += [call("shop-v1", "stock-v2"), call("shop-v2", "stock-v2")]
    assert access_changes(model(), after) == [
        "new: shop v1 -> stock v2 GET /",
        "new: shop v2 -> stock v2 GET /",
        "new: workload stock v2 as local/sa/stock-v2",
    ]


def test_of_a_new_stack_all_is_new_and_of_one_that_goes_all_is_gone() -> None:
    new, gone = access_changes(None, model()), access_changes(model(), None)
    assert "new: shop -> stock GET /" in new
    assert "new: time.example:80 for shop v2" in new
    assert [line.replace("gone: ", "new: ", 1) for line in gone] == new


def test_names_that_are_in_two_namespaces_are_told_apart() -> None:
    after = model()
    after["workloads"].append(workload("broker") | {"id": "other/broker", "principal": "other/sa/broker"})
    lines = access_changes(None, after)
    assert "new: shop -> demo/broker:9092" in lines
    assert "new: workload other/broker as other/sa/broker" in lines


def test_that_nothing_changes_is_said_of_a_stacks_outputs() -> None:
    outputs = {"accessModel": model(), "port": 80}
    assert output_changes(outputs, outputs) == ["access stays as it is"]
    assert output_changes(outputs, {}) == access_changes(model(), None)
    assert output_changes(None, outputs) == access_changes(None, model())

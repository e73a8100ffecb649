"""What the Pulumi CLI writes, as graphs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.comparison import compare
from harness.graph import Graph
from harness.program import Program
from harness.randomness import DRAWN
from harness.recorded import from_deployment, from_preview, to_deployment, unlike
from harness.values import UNKNOWN, Secret
from tests.harness.test_program import OPTIONS, PASSWORD, SECRET, WITH_PASSWORD

pytestmark = pytest.mark.program

WriteProgram = Callable[..., Program]

STATE = {
    "version": 3,
    "deployment": {
        "resources": [
            {"urn": "urn:pulumi:test::demo::pulumi:pulumi:Stack::demo-test", "custom": False, "type": "pulumi:pulumi:Stack", "outputs": {"port": 80}},
            {"urn": "urn:pulumi:test::demo::pulumi:providers:random::default_4", "custom": True, "type": "pulumi:providers:random", "id": "x"},
            {
                "urn": f"urn:pulumi:test::demo::{PASSWORD}::it",
                "custom": True,
                "type": PASSWORD,
                "id": "none",
                "inputs": {"length": 8},
                "outputs": {"result": {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}},
                "parent": "urn:pulumi:test::demo::pulumi:pulumi:Stack::demo-test",
                "provider": "urn:pulumi:test::demo::pulumi:providers:random::default_4::x",
                "protect": True,
            },
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("document", [STATE, {"version": 3, "checkpoint": {"latest": STATE["deployment"]}}])
def test_a_state_is_a_graph_whose_secrets_are_unknown(document: dict[str, Any]) -> None:
    graph = from_deployment(document)
    it = graph.one(PASSWORD)
    assert len(graph.resources) == 2
    assert it.outputs["result"] == Secret(UNKNOWN)
    assert (it.protect, it.provider, it.inputs) == (True, "", {"length": 8})
    assert graph.outputs == {"port": 80}


def test_a_graph_that_is_written_as_a_state_is_the_same_when_it_is_read(write_program: WriteProgram) -> None:
    graph = write_program(WITH_PASSWORD + OPTIONS).preview(outputs=DRAWN)
    text = json.dumps(to_deployment(graph))
    assert graph.one(PASSWORD).outputs["result"].value not in text
    read = from_deployment(json.loads(text))
    assert compare(read, graph) == ()
    assert unlike(graph, read) == []


def as_engine(graph: Graph) -> dict[str, Any]:
    """Return a graph as ``pulumi preview --json`` has it."""
    resources = to_deployment(graph)["deployment"]["resources"]
    return {"steps": [{"op": "create", "urn": item["urn"], "newState": item} for item in resources]}


def test_a_preview_of_the_engine_is_the_same_graph_but_for_what_differs_each_time(write_program: WriteProgram) -> None:
    graph = write_program(WITH_PASSWORD).preview()
    document = as_engine(graph)
    secret = next(step["newState"] for step in document["steps"] if step["newState"]["type"] == SECRET)
    secret["inputs"]["metadata"]["name"] = "writer-secret-0a1b2c3d"
    secret["inputs"]["stringData"] = "[secret]"
    assert unlike(graph, from_preview(document)) == []


def test_what_is_in_a_chart_is_left_out(write_program: WriteProgram) -> None:
    """The engine knows the children, has whoever depends on the chart depend on them, and records no inputs of it."""
    source = """
        chart = kubernetes.helm.v4.Chart("base", chart="base")
        kubernetes.core.v1.ConfigMap("after", data={"a": "1"}, opts=pulumi.ResourceOptions(depends_on=[chart]))
    """
    graph = write_program(source).preview()
    chart, document = graph.one("kubernetes:helm.sh/v4:Chart"), as_engine(graph)
    urn = "urn:pulumi:test::demo::kubernetes:helm.sh/v4:Chart$kubernetes:core/v1:Secret::base:default/key"
    recorded = next(step["newState"] for step in document["steps"] if step["urn"] == chart.urn)
    del recorded["inputs"]
    child = {"urn": urn, "type": SECRET, "custom": True, "parent": chart.urn, "inputs": {}}
    after = next(step["newState"] for step in document["steps"] if step["urn"].endswith("::after"))
    after["dependencies"] = [*after["dependencies"], urn]
    document["steps"].append({"op": "create", "urn": urn, "newState": child})
    assert unlike(graph, from_preview(document)) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda state: state.update(protect=True), f"{SECRET} writer-secret: protect: false => true"),
        (lambda state: state.update(dependencies=[], propertyDependencies={}), "dependencies: only the first "),
        (lambda state: state["inputs"].update(immutable=False), f"{SECRET} writer-secret: ! immutable: true => false"),
        (lambda state: state.update(urn=f"{state['urn']}-2"), "only the second has "),
    ],
)
def test_what_the_engine_has_otherwise_is_told(
    change: Callable[[dict[str, Any]], object], line: str, write_program: WriteProgram
) -> None:
    graph = write_program(WITH_PASSWORD).preview()
    document = as_engine(graph)
    state = next(step["newState"] for step in document["steps"] if step["newState"]["type"] == SECRET)
    assert unlike(graph, from_preview(document)) == []
    change(state)
    assert any(line in found for found in unlike(graph, from_preview(document)))

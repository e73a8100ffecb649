"""The rules on what charts make: the stack of the lab with its charts rendered, as the engine registers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import helm_python
import pytest
import yaml
from guardrails.registered import Resource

from harness.program import Program
from harness.randomness import DRAWN
from lab.charts.assemble import assemble
from tests.policy_pack.conftest import ROOT, Judge, resources
from tests.policy_pack.test_rules import BALANCER, DEPLOYMENT, added, changed, container, setting

pytestmark = pytest.mark.lab

Lab = Callable[..., list[Resource]]
CHART = "kubernetes:helm.sh/v4:Chart"


@pytest.fixture(scope="module")
def lab() -> Lab:
    """Return the stack lab with what is in its charts, with settings laid over its own."""
    assemble(ROOT / ".lab" / "charts", print)

    def made(**config: Any) -> list[Resource]:
        graph = Program(ROOT).preview(stack="lab", config=config, outputs=DRAWN)
        return [*resources(graph), *(item for chart in graph.all(CHART) for item in rendered(chart.urn, chart.inputs))]

    return made


def rendered(urn: str, inputs: dict[str, Any]) -> list[Resource]:
    """Return what a chart holds."""
    with helm_python.Chart.load(ROOT / inputs["chart"]) as chart:
        texts = chart.render(inputs.get("values") or {}, name=inputs["name"], namespace=inputs["namespace"])
    documents = [
        yaml.load_all(text, yaml.CSafeLoader) for name, text in texts.items() if not name.endswith("NOTES.txt")
    ]
    found = []
    for thing in (item for items in documents for item in items if item):
        version, kind, metadata = thing["apiVersion"], thing["kind"], thing["metadata"]
        token = f"kubernetes:{version if '/' in version else f'core/{version}'}:{kind}"
        properties = {**thing, "metadata": {"namespace": inputs["namespace"], **metadata}}
        found.append(Resource(token, f"{urn.rpartition('::')[0]}${token}::{metadata['name']}", properties))
    return found


def test_the_lab_with_its_charts_keeps_every_rule(lab: Lab, judge: Judge) -> None:
    assert len(lab()) > 150
    assert judge(lab()) == {}


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        ("image-pinned", {"istiod": {"global": {"hub": "registry.istio.io/release", "tag": "latest"}}}),
        (
            "one-way-in",
            {
                "istiod": {"global": {"hub": "registry.istio.io/release", "tag": "1.31.0"}},
                "gateway": {"service": {"type": "LoadBalancer"}, "labels": {"istio": "another"}},
            },
        ),
    ],
)
def test_a_charts_values_break_one_rule(rule: str, values: dict[str, Any], lab: Lab, judge: Judge) -> None:
    assert set(judge(lab(chartValues=values))) == {rule}


def test_without_outputs_the_gateway_is_where_its_chart_runs_it(lab: Lab, judge: Judge) -> None:
    objects = [item for item in lab() if item.type != "pulumi:pulumi:Stack"]
    service = "kubernetes:core/v1:Service"
    assert judge(added(objects, service, BALANCER)) == {}
    assert set(judge(added(objects, service, BALANCER, "elsewhere"))) == {"gateway-in-place"}
    bare = [item for item in objects if not item.from_chart]
    assert set(judge(added(bare, service, BALANCER))) == {"gateway-in-place"}


def test_of_a_charts_pods_only_images_and_secrets_are_judged(lab: Lab, judge: Judge) -> None:
    objects = lab()

    def weaken(properties: dict[str, Any]) -> None:
        for key in ("resources", "readinessProbe", "securityContext"):
            container(properties).pop(key, None)

    assert judge(changed(objects, DEPLOYMENT, "istiod", weaken)) == {}
    assert judge(changed(objects, DEPLOYMENT, "istiod", setting("KIND_OF_TOKEN", "third-party-jwt"))) == {}
    said = judge(changed(objects, DEPLOYMENT, "istiod", setting("URL", "https://me:hunter2@example.com")))
    assert set(said) == {"no-literal-secret"}
    image = "registry.istio.io/pilot:latest"
    said = judge(changed(objects, DEPLOYMENT, "istiod", lambda properties: container(properties).update(image=image)))
    assert set(said) == {"image-pinned"}

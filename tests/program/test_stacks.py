"""Each stack as a reviewer sees it, and what sets the stacks apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.engine.testing import Preview, Program, ProgramFailedError
from lab.engine.urn import name_of
from model.platform import exported
from model.settings import Settings
from tests.program.summary import GOLDEN, ROOT, STACKS, summary

pytestmark = pytest.mark.engine

PLATFORM = "organization/kafka-on-istio/platform"
OfStack = Callable[..., Settings]


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_is_what_its_summary_says(stack: str) -> None:
    """``python -m tests.program.summary`` writes the summaries anew."""
    golden = GOLDEN / f"{stack}.txt"
    assert summary(Program(ROOT).preview(stack=stack)) == golden.read_text(encoding="utf-8")


Key = tuple[str, str, str]


def objects(preview: Preview) -> set[Key]:
    """Return the Kubernetes objects as (kind, namespace, name), but for those with names of their own."""
    made = [item for item in preview.resources if item.type.startswith("kubernetes:") and item.custom]
    keyed = [(item.type.rpartition(":")[2], item.inputs.get("metadata") or {}) for item in made if not item.external]
    return {(kind, data.get("namespace", ""), data["name"]) for kind, data in keyed if kind not in ("Secret", "Chart")}


def charts(preview: Preview) -> set[str]:
    """Return the names of the charts that are installed."""
    return {name_of(item.urn) for item in preview.all("kubernetes:helm.sh/v4:Chart")}


def test_a_platform_and_an_application_make_what_one_stack_of_all_makes() -> None:
    operator = {"strimziNamespace": "strimzi", "strimziWatchNamespaces": ["*"]}
    together = Program(ROOT).preview(stack="dev", config=operator)
    platform = Program(ROOT).preview(stack="platform")
    application = Program(ROOT).preview(stack="test", config={"instance": ""})
    assert charts(platform) == charts(together)
    assert charts(application) == set()
    assert not objects(platform) & objects(application)
    own = {("AuthorizationPolicy", "istio-system", "ingress-demo-app")}
    assert objects(platform) | objects(application) == objects(together) | own


def test_two_applications_on_one_platform_share_no_object() -> None:
    first, second = (objects(Program(ROOT).preview(stack="test", config={"instance": name})) for name in ("a", "b"))
    assert not first & second
    assert len(first) == len(second) > 50


def test_an_application_of_short_life_leaves_nothing_when_it_goes() -> None:
    """All is in its own namespaces or the stack's to delete, and nothing is protected, kept, or on volumes."""
    preview = Program(ROOT).preview(stack="test")
    assert not [item for item in preview.resources if item.protect or item.retain_on_delete]
    assert {key for key in objects(preview) if key[1] not in ("kafka-test", "demo-app-test")} == {
        ("Namespace", "", "kafka-test"),
        ("Namespace", "", "demo-app-test"),
        ("AuthorizationPolicy", "istio-system", "ingress-demo-app-test"),
    }
    kafka = preview.one("kubernetes:kafka.strimzi.io/v1:Kafka").inputs["spec"]
    container = kafka["entityOperator"]["template"]["topicOperatorContainer"]
    assert {"name": "STRIMZI_USE_FINALIZERS", "value": "false"} in container["env"]
    pool = preview.one("kubernetes:kafka.strimzi.io/v1:KafkaNodePool").inputs["spec"]
    assert pool["storage"] == {"type": "ephemeral"}


def outputs(of_stack: OfStack, **changed: Any) -> dict[str, Any]:
    """Return the outputs of a platform with some settings changed."""
    return {PLATFORM: {"platform": exported(of_stack("platform", **changed)), "ingressAddress": "192.0.2.1"}}


def test_an_application_knows_where_its_platform_is_reached(of_stack: OfStack) -> None:
    preview = Program(ROOT).preview(stack="test", references=outputs(of_stack))
    assert preview.outputs["ingressAddress"] == "192.0.2.1"


def test_nothing_is_made_on_a_platform_that_is_another_than_was_taken_for_granted(of_stack: OfStack) -> None:
    found = outputs(of_stack, trustDomain="other.example", strimziWatchNamespaces=["kafka-a"])
    with pytest.raises(ProgramFailedError) as error:
        Program(ROOT).preview(stack="test", references=found)
    text = str(error.value)
    assert f"kafka-on-istio:trustDomain = 'cluster.local': {PLATFORM} has 'other.example'" in text
    assert "kafka-on-istio:kafkaNamespace = 'kafka-test'" in text
    assert "watches kafka-a, strimzi alone" in text
    assert "Traceback" not in text
    made = error.value.preview.resources
    assert not [item.urn for item in made if item.type.startswith("kubernetes:")]


def test_a_stack_that_makes_no_platform_is_none(of_stack: OfStack) -> None:
    with pytest.raises(ProgramFailedError, match="has no output 'platform'"):
        Program(ROOT).preview(stack="test", references={PLATFORM: {"namespaces": {}}})


def test_everything_of_an_application_waits_for_its_platform() -> None:
    preview = Program(ROOT).preview(stack="test")
    reference = preview.one("pulumi:pulumi:StackReference")
    made = [item for item in preview.resources if item.type.startswith("kubernetes:")]
    assert [name_of(item.urn) for item in made if not preview.depends(item, reference)] == []

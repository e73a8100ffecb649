"""Each stack as a reviewer sees it, and what sets the stacks apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lab.engine.state import Resource
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


def objects(preview: Preview) -> dict[tuple[str, str, str], Resource]:
    """Return Kubernetes objects by type, namespace and name, but for those with names of their own."""
    found = {}
    for item in preview.resources:
        metadata: Mapping[str, Any] = item.inputs.get("metadata") or {}
        if item.custom and not item.external and not item.type.endswith((":Secret", ":Chart")):
            found[item.type, metadata.get("namespace", ""), metadata.get("name", item.urn)] = item
    return found


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
    shared = set(objects(platform)) & set(objects(application))
    assert shared == set()
    own = ("security.istio.io/v1:AuthorizationPolicy", "istio-system", "ingress-demo-app")
    apart = {key for key in (*objects(platform), *objects(application)) if "StackReference" not in key[0]}
    assert apart - {("kubernetes:" + own[0], *own[1:])} == {
        key for key in objects(together) if "pulumi:" not in key[0]
    } | {key for key in apart if key[0].startswith("random:")}


def test_two_applications_on_one_platform_share_no_object() -> None:
    def made(instance: str) -> set[tuple[str, str, str]]:
        preview = Program(ROOT).preview(stack="test", config={"instance": instance})
        return {key for key in objects(preview) if key[0].startswith("kubernetes:")}

    first, second = made("pr-1"), made("pr-2")
    assert first & second == set()
    assert len(first) == len(second) > 50


def test_an_application_of_short_life_leaves_nothing_when_it_goes() -> None:
    """All is in its own namespaces or the stack's to delete, and nothing is protected, kept, or on volumes."""
    preview = Program(ROOT).preview(stack="test")
    assert not [item for item in preview.resources if item.protect or item.retain_on_delete]
    elsewhere = {key for key in objects(preview) if key[0].startswith("kubernetes:")}
    elsewhere = {key for key in elsewhere if key[1] not in ("kafka-test", "demo-app-test")}
    assert {(token.rpartition(":")[2], *rest) for token, *rest in elsewhere} == {
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
    objects = [item for item in preview.resources if item.type.startswith("kubernetes:")]
    assert [name_of(item.urn) for item in objects if not preview.depends(item, reference)] == []

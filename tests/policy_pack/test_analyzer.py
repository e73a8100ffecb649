"""The pack as the Pulumi CLI runs it: a process of its own, asked over gRPC."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from guardrails.rule import Rule
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from harness.graph import Graph, Resource
from harness.program import Program
from harness.values import UNKNOWN, encode
from tests.policy_pack.conftest import PACK, ROOT

pytestmark = pytest.mark.program

Analyzer = Any


@pytest.fixture(scope="module")
def analyzer() -> Iterator[Analyzer]:
    """The pack's server, started as `pulumi-analyzer-policy-python` does: in its folder, with its own environment."""
    python = PACK / ".venv" / "bin" / "python"
    if not python.exists():
        pytest.fail(f"{python} is missing: make policy_pack/.venv")
    command = [str(python), "-u", "-m", "pulumi.policy", "127.0.0.1:1", "."]
    with subprocess.Popen(command, cwd=PACK, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = process.stdout.readline().strip()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
        process.kill()


@pytest.fixture(scope="module")
def preview() -> Graph:
    """The stack dev before its first update, with what is not known then."""
    return Program(ROOT).preview(stack="dev")


def analyze(analyzer: Analyzer, item: Resource, properties: dict[str, Any]) -> dict[str, Any]:
    """Ask about one resource as it is to be made; the diagnostics by rule."""
    name = item.urn.rpartition("::")[2]
    request = analyzer_pb2.AnalyzeRequest(type=item.type, urn=item.urn, name=name, properties=encode(properties))
    return {found.policyName: found for found in analyzer.Analyze(request).diagnostics}


def analyze_stack(analyzer: Analyzer, preview: Graph, *, but: str = "") -> dict[str, Any]:
    """Ask about the whole stack, without the resource of that URN."""
    request = analyzer_pb2.AnalyzeStackRequest()
    for item in preview.resources:
        if item.urn != but:
            outputs = preview.outputs if item.type == "pulumi:pulumi:Stack" else item.inputs | item.outputs
            name = item.urn.rpartition("::")[2]
            request.resources.add(
                type=item.type, urn=item.urn, name=name, parent=item.parent, properties=encode(outputs)
            )
    return {found.policyName: found for found in analyzer.AnalyzeStack(request).diagnostics}


def test_the_cli_is_told_every_rule_with_its_reason_fix_and_level(analyzer: Analyzer, rules: tuple[Rule, ...]) -> None:
    info = analyzer.GetAnalyzerInfo(empty_pb2.Empty())
    assert info.name == "kafka-on-istio"
    assert {policy.name: (policy.description, policy.remediation_steps) for policy in info.policies} == {
        rule.name: (rule.reason, rule.fix) for rule in rules
    }
    levels = {policy.name: policy.enforcementLevel for policy in info.policies}
    assert levels.pop("kafka-durable") == analyzer_pb2.DISABLED
    assert set(levels.values()) == {analyzer_pb2.MANDATORY}


def test_a_first_preview_of_a_shipped_stack_is_let_through(analyzer: Analyzer, preview: Graph) -> None:
    said = {item.urn: analyze(analyzer, item, item.inputs) for item in preview.resources}
    assert {urn: found for urn, found in said.items() if found} == {}
    assert {name: found.enforcementLevel for name, found in analyze_stack(analyzer, preview).items()} == {
        # There is no password yet that could be said anywhere.
        "no-leaked-password": analyzer_pb2.ADVISORY
    }


def test_a_fault_stops_the_update_with_reason_and_fix(analyzer: Analyzer, preview: Graph) -> None:
    kafka = preview.one("kubernetes:kafka.strimzi.io/v1:Kafka")
    listener = {"name": "open", "port": 9093, "type": "internal", "tls": False}
    spec = {**kafka.inputs["spec"], "kafka": {**kafka.inputs["spec"]["kafka"], "listeners": [listener]}}
    said = analyze(analyzer, kafka, {**kafka.inputs, "spec": spec})
    assert set(said) == {"kafka-authenticated"}
    found = said["kafka-authenticated"]
    assert found.enforcementLevel == analyzer_pb2.MANDATORY
    assert found.message == (
        "Every client of a listener without authentication is the same anonymous user.\n"
        "Kafka kafka/demo-app-log-cluster, listener open has the authentication none. "
        "Set the listener's authentication.type to scram-sha-512 or tls."
    )


def test_what_a_stack_lacks_is_told(analyzer: Analyzer, preview: Graph) -> None:
    strict = preview.one(
        "kubernetes:security.istio.io/v1:PeerAuthentication", "security-peerauthentication-demo-app-default"
    )
    said = analyze_stack(analyzer, preview, but=strict.urn)
    assert "Namespace demo-app has no PeerAuthentication for all of its pods" in said["mesh-strict"].message


def test_what_a_preview_does_not_know_keeps_no_other_fault_from_being_told(analyzer: Analyzer, preview: Graph) -> None:
    deployment = preview.one("kubernetes:apps/v1:Deployment", "demo-customer-customer-v1")
    template = deployment.inputs["spec"]["template"]
    container = template["spec"]["containers"][0]
    reference = {"name": "SESSION", "valueFrom": {"secretKeyRef": {"name": UNKNOWN, "key": UNKNOWN}}}
    fields = {**container, "image": "services:latest", "env": [reference]}
    spec = {"template": {**template, "spec": {**template["spec"], "containers": [fields]}}}
    said = analyze(analyzer, deployment, {**deployment.inputs, "spec": spec})
    assert set(said) == {"image-pinned"}
    assert said["image-pinned"].enforcementLevel == analyzer_pb2.MANDATORY


def test_the_rule_for_production_is_asked_for_by_configuration(analyzer: Analyzer, preview: Graph) -> None:
    assert "kafka-durable" not in analyze_stack(analyzer, preview)
    asked = analyzer_pb2.ConfigureAnalyzerRequest()
    asked.policyConfig["kafka-durable"].enforcementLevel = analyzer_pb2.MANDATORY
    analyzer.Configure(asked)
    assert analyze_stack(analyzer, preview)["kafka-durable"].enforcementLevel == analyzer_pb2.MANDATORY
    analyzer.Configure(analyzer_pb2.ConfigureAnalyzerRequest())

"""Helm charts: which resources they become, in which order, and what is refused."""

import asyncio
import textwrap
from pathlib import Path
from typing import Any

import pytest

from lab.engine.kubernetes import KubernetesProvider
from lab.engine.kubernetes.charts import CHART
from lab.engine.provider import Child, Construction, Context, ProviderError
from lab.engine.values import UNKNOWN, Asset, Secret

pytestmark = pytest.mark.unit

FILES = {
    "Chart.yaml": """
        apiVersion: v2
        name: demo
        version: 1.2.3
    """,
    "values.yaml": """
        replicas: 1
        greeting: hello
    """,
    "crds/thing.yaml": """
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata: {name: things.example.com}
        spec:
          group: example.com
          scope: Cluster
          names: {kind: Thing, plural: things}
    """,
    "templates/all.yaml": """
        apiVersion: admissionregistration.k8s.io/v1
        kind: ValidatingWebhookConfiguration
        metadata: {name: guard}
        ---
        apiVersion: example.com/v1
        kind: Thing
        metadata: {name: thing}
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: {{ .Release.Name }}}
        spec: {replicas: {{ .Values.replicas }}}
        ---
        apiVersion: v1
        kind: Secret
        metadata: {name: key, namespace: elsewhere}
        stringData: {key: {{ .Values.greeting }}}
        ---
        apiVersion: v1
        kind: Pod
        metadata:
          name: test
          annotations: {helm.sh/hook: test}
        {{- if .Capabilities.APIVersions.Has "example.com/v1" }}
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: served}
        {{- end }}
    """,
    "templates/NOTES.txt": "Thank you for installing {{ .Chart.Name }}.",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / "demo" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    return tmp_path


def construct(folder: Path, inputs: dict[str, Any], *, offline: bool = True) -> Construction:
    provider = KubernetesProvider({}, folder, offline)
    return asyncio.run(provider.construct(Context("urn", CHART, "demo", preview=True), inputs))


def child(construction: Construction, kind: str) -> Child:
    return next(item for wave in construction.waves for item in wave if item.inputs["kind"] == kind)


def test_children_come_in_waves_with_types_names_and_namespaces(folder: Path) -> None:
    found = construct(folder, {"chart": "./demo", "name": "release", "namespace": "shop"})
    assert [[(item.type, item.name) for item in wave] for wave in found.waves] == [
        [("kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition", "demo:things.example.com")],
        [("kubernetes:core/v1:Secret", "demo:elsewhere/key")],
        [("kubernetes:apps/v1:Deployment", "demo:shop/release")],
        [("kubernetes:example.com/v1:Thing", "demo:thing")],
        [
            (
                "kubernetes:admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration",
                "demo:guard",
            )
        ],
    ]
    assert child(found, "Deployment").inputs["metadata"] == {"name": "release", "namespace": "shop"}


def test_values_lie_over_value_files_over_the_chart_s_own(folder: Path) -> None:
    (folder / "more.yaml").write_text("replicas: 2\ngreeting: good day\n")
    asset = Asset((("path", "more.yaml"),))
    found = construct(folder, {"chart": "./demo", "valueYamlFiles": [asset], "values": {"replicas": 3}})
    assert child(found, "Deployment").inputs["spec"] == {"replicas": 3}
    assert child(found, "Secret").inputs["stringData"] == Secret({"key": "good day"})


def test_the_values_of_a_chart_s_secrets_are_secret(folder: Path) -> None:
    assert isinstance(child(construct(folder, {"chart": "./demo"}), "Secret").inputs["stringData"], Secret)


def test_a_resource_prefix_takes_the_place_of_the_name(folder: Path) -> None:
    found = construct(folder, {"chart": "./demo", "namespace": "shop", "resourcePrefix": "other"})
    assert child(found, "Deployment").name == "other:shop/demo"


def test_skip_crds_and_skip_await(folder: Path) -> None:
    found = construct(folder, {"chart": "./demo", "skipCrds": True, "skipAwait": True})
    children = [item for wave in found.waves for item in wave]
    assert "CustomResourceDefinition" not in {item.inputs["kind"] for item in children}
    assert all(item.inputs["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true" for item in children)


def test_a_chart_that_is_not_on_disk_is_opaque_offline(folder: Path) -> None:
    remote = {"chart": "base", "version": "1.31.0", "repositoryOpts": {"repo": "https://charts.example.com"}}
    found = construct(folder, remote)
    assert found.waves == ()
    assert found.opaque == (
        "chart base 1.31.0 from https://charts.example.com is not on disk, and an offline run fetches nothing"
    )


def test_a_chart_with_unknown_values_is_opaque(folder: Path) -> None:
    found = construct(folder, {"chart": "./demo", "values": {"replicas": UNKNOWN}})
    assert found.opaque is not None
    assert "known only after the update" in found.opaque


def test_a_missing_folder_is_named(folder: Path) -> None:
    with pytest.raises(ProviderError, match=r"chart ./absent: no such file or folder"):
        construct(folder, {"chart": "./absent"}, offline=False)


def test_inputs_that_are_not_supported_are_named(folder: Path) -> None:
    inputs = {"chart": "./demo", "postRenderer": {"command": "x"}, "repositoryOpts": {"caFile": "y"}}
    with pytest.raises(ProviderError, match=r"postRenderer, repositoryOpts.caFile not supported"):
        construct(folder, inputs)


def test_a_template_that_fails_is_quoted(folder: Path) -> None:
    (folder / "demo/templates/bad.yaml").write_text('{{ fail "set a password" }}')
    with pytest.raises(ProviderError, match="chart ./demo: .*set a password"):
        construct(folder, {"chart": "./demo"})


def test_other_components_are_refused_by_name(folder: Path) -> None:
    provider = KubernetesProvider({}, folder, offline=True)
    with pytest.raises(ProviderError, match="kubernetes:yaml/v2:ConfigFile is not supported"):
        asyncio.run(provider.construct(Context("urn", "kubernetes:yaml/v2:ConfigFile", "x"), {}))

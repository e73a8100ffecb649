"""The charts that a stack installs, and what policies take for granted of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.program import Program
from harness.randomness import DRAWN
from harness.values import has_secret, reveal
from kafka_on_istio import names
from kafka_on_istio.access.derivation import access_model
from kafka_on_istio.charts import values as charts
from kafka_on_istio.charts.facts import chart_facts
from kafka_on_istio.settings.settings import Settings
from tests.program.summary import ROOT, STACKS

Load = Callable[..., Settings]
CHART = "kubernetes:helm.sh/v4:Chart"


@pytest.mark.program
@pytest.mark.parametrize("stack", STACKS)
def test_the_releases_that_are_checked_are_those_that_are_installed(of_stack: Load, stack: str) -> None:
    installed = {
        (item.inputs["chart"], item.inputs.get("version"), item.inputs["name"], item.inputs["namespace"]): item.inputs[
            "values"
        ]
        for item in Program(ROOT).preview(stack=stack).all(CHART)
    }
    assert installed == {
        (item.chart, item.version or None, item.name, item.namespace): item.values
        for item in charts.releases(of_stack(stack))
    }


@pytest.mark.unit
@pytest.mark.parametrize("stack", STACKS)
def test_every_installed_chart_has_a_row_in_the_table(of_stack: Load, stack: str) -> None:
    loaded = of_stack(stack)
    assert {item.key for item in charts.releases(loaded)} == set(chart_facts(loaded))


@pytest.mark.unit
@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_policies_select_charts_pods_by_the_labels_and_accounts_of_the_table(of_stack: Load, stack: str) -> None:
    loaded = of_stack(stack)
    known = {
        (workload.service_account, frozenset(workload.labels.items()))
        for facts in chart_facts(loaded).values()
        for workload in facts.workloads.values()
    }
    operator, gateway, prometheus = names.OPERATOR, loaded.gateway_service_account, names.PROMETHEUS
    of_charts = [
        item for item in access_model(loaded).workloads if item.service_account in (operator, gateway, prometheus)
    ]
    assert len(of_charts) == (3 if stack == "prod" else 2)
    assert all((item.service_account, frozenset(item.labels.items())) in known for item in of_charts)


@pytest.mark.unit
def test_policies_open_ports_of_charts_services_that_the_table_has(of_stack: Load) -> None:
    loaded = of_stack("prod")
    ports = {
        f"{service}.{loaded.istio_namespace}.svc.{loaded.cluster_domain}": set(found.values())
        for facts in chart_facts(loaded).values()
        for service, found in facts.services.items()
    }
    infrastructure = {item.name: item for item in access_model(loaded).infrastructure}
    for name in ("istiod", "otlp"):
        (host,) = infrastructure[name].hosts
        assert set(infrastructure[name].ports) <= ports[host]


@pytest.mark.unit
def test_strimzi_is_told_the_clusters_dns_domain(settings: Load) -> None:
    assert (
        charts.strimzi(settings(clusterDomain="example.internal"))["kubernetesServiceDnsDomain"] == "example.internal"
    )


@pytest.mark.unit
def test_charts_come_from_where_istio_publishes_this_version(settings: Load) -> None:
    """The repository before it ends at 1.30.4 (istio.io, retirement of its GCP infrastructure)."""
    releases = {item.key: item for item in charts.releases(settings())}
    assert releases["istiod"].repository == "https://blob.istio.io/istio-release/charts"
    assert all(item.version[0].isdigit() for item in releases.values() if item.version), "a range moves"


@pytest.mark.unit
def test_istiod_starts_once_its_injection_template_exists(settings: Load) -> None:
    """Without it istiod disables injection; a missing ConfigMap that is not optional keeps a pod from starting."""
    values = charts.istiod(settings())
    (volume,) = values["volumes"]
    assert volume["configMap"] == {"name": "istio-sidecar-injector"}
    assert [mount["name"] for mount in values["volumeMounts"]] == [volume["name"]]


@pytest.mark.program
def test_kialis_signing_key_is_made_once_and_is_in_no_chart() -> None:
    preview = Program(ROOT).preview(stack="dev", outputs=DRAWN)
    secret = preview.one("kubernetes:core/v1:Secret", "observability-kiali-signing-key-secret")
    (chart,) = (item for item in preview.all(CHART) if item.name == "observability-kiali")
    assert chart.inputs["values"]["login_token"] == {
        "signing_key": f"secret:{secret.inputs['metadata']['name']}:{names.KIALI_SIGNING_KEY_KEY}"
    }
    password = preview.one("random:index/randomPassword:RandomPassword", "observability-kiali-signing-key")
    assert password.inputs["length"] == 32
    assert set(reveal(secret.inputs["stringData"])) == {names.KIALI_SIGNING_KEY_KEY}
    assert has_secret(secret.inputs["stringData"])
    assert preview.depends(chart, secret)


@pytest.mark.program
@pytest.mark.parametrize(
    ("config", "level"),
    [
        ({}, "privileged"),
        ({"podSecurity": "restricted", "cni": True}, "privileged"),
        ({"podSecurity": "restricted", "dataPlane": "none"}, "baseline"),
    ],
)
def test_istios_namespace_has_the_level_that_its_pods_need(config: dict[str, object], level: str) -> None:
    preview = Program(ROOT).preview(stack="dev", config=config)
    labels = {
        item.inputs["metadata"]["name"]: item.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for item in preview.all("kubernetes:core/v1:Namespace")
    }
    asked = str(config.get("podSecurity", "privileged"))
    assert labels == {"istio-system": level, "kafka": asked, "demo-app": asked}


@pytest.mark.program
def test_a_namespace_that_exists_is_labelled_and_never_made_or_deleted() -> None:
    preview = Program(ROOT).preview(stack="dev", config={"existingNamespaces": ["kafka", "istio-system"]})
    made = {item.inputs["metadata"]["name"] for item in preview.all("kubernetes:core/v1:Namespace")}
    patched = {
        item.inputs["metadata"]["name"]: item.inputs for item in preview.all("kubernetes:core/v1:NamespacePatch")
    }
    assert made == {"demo-app"}
    assert set(patched) == {"kafka", "istio-system"}
    assert patched["kafka"]["metadata"]["labels"]["istio-injection"] == "enabled"
    assert "annotations" not in patched["kafka"]["metadata"]

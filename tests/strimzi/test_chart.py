"""Which namespaces the operator's chart has it watch, and gives it rights in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

pytestmark = pytest.mark.unit

CHART = Path(__file__).parents[2] / "lab" / "charts" / "strimzi-kafka-operator"


def environment(operator: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item.get("value") for item in operator["spec"]["template"]["spec"]["containers"][0]["env"]}


def rendered(**values: Any) -> tuple[str, set[tuple[str, str]]]:
    """Return what the operator is told to watch, and its bindings to the rights over clusters, (kind, namespace)."""
    with helm_python.Chart.load(CHART) as chart:
        texts = chart.render(values, name="strimzi", namespace="strimzi").values()
    objects = [item for text in texts for item in yaml.safe_load_all(text) if item]
    (operator,) = (item for item in objects if item["kind"] == "Deployment")
    told = environment(operator)
    bound = {
        (item["kind"], item["metadata"].get("namespace", ""))
        for item in objects
        if item.get("roleRef", {}).get("name") == "strimzi-cluster-operator-namespaced"
    }
    return str(told["STRIMZI_NAMESPACE"]), bound


def test_it_watches_its_own_namespace_and_those_that_are_named() -> None:
    told, bound = rendered(watchNamespaces=["a", "b"])
    assert set(told.split(",")) == {"strimzi", "a", "b"}
    assert bound == {("RoleBinding", name) for name in ("strimzi", "a", "b")}


def test_it_watches_all_namespaces_where_asked_to() -> None:
    assert rendered(watchAnyNamespace=True) == ("*", {("ClusterRoleBinding", "")})


def test_it_tells_the_operator_whether_to_make_network_policies_and_the_domain_of_the_cluster() -> None:
    def told(**values: Any) -> dict[str, Any]:
        with helm_python.Chart.load(CHART) as chart:
            texts = chart.render(values, name="strimzi", namespace="strimzi").values()
        objects = [item for text in texts for item in yaml.safe_load_all(text) if item]
        return environment(next(item for item in objects if item["kind"] == "Deployment"))

    names = ("STRIMZI_NETWORK_POLICY_GENERATION", "KUBERNETES_SERVICE_DNS_DOMAIN")
    assert not set(names) & set(told())
    changed = told(generateNetworkPolicy=False, kubernetesServiceDnsDomain="corp.internal")
    assert [changed[name] for name in names] == ["false", "corp.internal"]

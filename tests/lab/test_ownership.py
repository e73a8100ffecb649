"""The program beside what others have in the cluster, on a real API server without a node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.conftest import Cluster

pytestmark = pytest.mark.lab

NO_NODE = ("--config", "waitForReady=false", "--config", "dataPlane=none", "--config", "webhookFailurePolicy=Ignore")
CONFIG_MAP = ("-n", "kafka", "get", "configmap", "of-others")
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: kafkabridges.kafka.strimzi.io}
spec:
  group: kafka.strimzi.io
  scope: Namespaced
  names: {kind: KafkaBridge, plural: kafkabridges, singular: kafkabridge, listKind: KafkaBridgeList}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"""


def up(cluster: Cluster, *arguments: str) -> str:
    """Create the stack where pods cannot run, and return what it printed; fail if that fails."""
    result = cluster.engine("up", "--stack", "lab", *NO_NODE, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def others(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster in which another team has a namespace with a ConfigMap, and a CRD."""
    cluster.kubectl("create", "namespace", "kafka")
    cluster.kubectl("-n", "kafka", "create", "configmap", "of-others", "--from-literal", "a=b")
    cluster.kubectl("apply", "-f", "-", text=CRD)
    yield cluster
    cluster.engine("destroy", "--stack", "lab")
    cluster.kubectl("delete", "crd", "kafkabridges.kafka.strimzi.io", "--ignore-not-found")
    cluster.kubectl("delete", "namespace", "kafka", "--ignore-not-found")


def test_up_refuses_to_take_over_what_others_made_and_makes_nothing(others: Cluster) -> None:
    result = others.engine("up", "--stack", "lab", *NO_NODE)
    said = result.stdout + result.stderr
    assert result.returncode == 1
    assert "kafkaNamespace = 'kafka': the namespace exists and is not of this stack" in said
    assert "CustomResourceDefinition/kafkabridges.kafka.strimzi.io" in said
    assert "Traceback" not in said
    assert "istio-system" not in others.kubectl("get", "namespaces", "-o", "name")
    assert others.kubectl("get", "crd", "-o", "name").split() == [
        "customresourcedefinition.apiextensions.k8s.io/kafkabridges.kafka.strimzi.io"
    ]


def test_what_the_settings_name_is_used_as_it_is(others: Cluster) -> None:
    allowed = (
        "--config",
        'existingNamespaces=["kafka"]',
        "--config",
        'adopt=["CustomResourceDefinition/kafkabridges.kafka.strimzi.io"]',
    )
    up(others, *allowed)
    namespace = others.get("namespace", "kafka")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    others.kubectl(*CONFIG_MAP)
    # A second run finds only what is its own.
    assert "no changes" in up(others, *allowed, "--expect-no-changes")


def test_every_object_is_stored_as_it_is_applied(others: Cluster) -> None:
    """What the API server changes, every later preview would show as a change."""
    objects = [item for item in others.workspace().resources() if "apiVersion" in item.get("inputs", {})]
    assert len(objects) > 100
    assert [line for item in objects for line in changed(item, live(others, item))] == []


def live(cluster: Cluster, resource: dict[str, Any]) -> Any:
    """Return the object of a resource as the cluster has it."""
    metadata = resource["inputs"]["metadata"]
    group, _, version = resource["inputs"]["apiVersion"].rpartition("/")
    kind = f"{resource['inputs']['kind']}.{version}.{group}" if group else resource["inputs"]["kind"]
    where = ("-n", metadata["namespace"]) if metadata.get("namespace") else ()
    return cluster.get(kind, metadata["name"], *where)


def changed(resource: dict[str, Any], stored: Any) -> Iterator[str]:
    """Yield what the API server stored otherwise than it was applied.

    pulumi-kubernetes takes no notice of null, empty text and empty objects that are dropped, nor of a quantity in
    another form (seen with its provider on this program).
    """

    def compare(applied: Any, found: Any, path: str) -> Iterator[str]:
        if isinstance(applied, dict) and isinstance(found, dict):
            for key, value in applied.items():
                ignored = value is None or value == "" or (value == {} and key != "properties")
                if not (ignored and key not in found):
                    yield from compare(value, found.get(key, "nothing"), f"{path}.{key}")
        elif isinstance(applied, list) and isinstance(found, list) and len(applied) == len(found):
            for index, (one, other) in enumerate(zip(applied, found, strict=True)):
                yield from compare(one, other, f"{path}[{index}]")
        elif applied != found and ".resources." not in path:
            yield f"{resource['urn'].rpartition('::')[2]}{path}: {json.dumps(applied)} is stored as {json.dumps(found)}"

    # What is secret is encrypted.
    inputs = {key: value for key, value in resource["inputs"].items() if key not in ("stringData", "data")}
    return compare(inputs, stored, "")


def test_destroy_leaves_what_was_there_before(others: Cluster) -> None:
    result = others.engine("destroy", "--stack", "lab")
    assert result.returncode == 0, result.stdout + result.stderr
    labels = others.get("namespace", "kafka")["metadata"]["labels"]
    assert labels == {"kubernetes.io/metadata.name": "kafka"}
    others.kubectl(*CONFIG_MAP)
    assert "demo-app" not in others.kubectl("get", "namespaces", "-o", "name")

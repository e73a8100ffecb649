"""The example that takes over a Kafka cluster which Strimzi already runs, on a real API server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab.lab import ROOT
from tests.lab.conftest import Cluster

pytestmark = pytest.mark.lab

EXAMPLE = ROOT / "examples" / "adopt-cluster"
OBJECTS = {"kafka": "events", "kafkanodepool": "nodes", "kafkatopic": "invoices", "kafkauser": "billing"}
USER = {
    "apiVersion": "kafka.strimzi.io/v1",
    "kind": "KafkaUser",
    "metadata": {"name": "billing", "namespace": "messaging", "labels": {"strimzi.io/cluster": "events"}},
    "spec": {"authentication": {"type": "scram-sha-512"}},
}
NOT_WAITING = ("--config", "kafka-on-istio:waitForReady=false")


@pytest.fixture
def running(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster with the custom resources of Istio and Strimzi, and what has been applied by hand so far."""
    charts = ROOT / ".lab" / "charts"
    crds = [
        charts / "base" / "files" / "crd-all.gen.yaml",
        *(charts / "strimzi-kafka-operator" / "crds").glob("*.yaml"),
    ]
    files = [word for path in crds for word in ("-f", str(path))]
    cluster.kubectl("apply", "--server-side", *files)
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    for name in ("messaging", "billing"):
        cluster.kubectl("create", "namespace", name)
    cluster.kubectl("apply", "-f", str(EXAMPLE / "kafka.yaml"))
    cluster.kubectl("apply", "-f", "-", text=json.dumps(USER))
    annotate = ("-n", "messaging", "annotate", "kafka", "events")
    cluster.kubectl(*annotate, "team=payments", "--field-manager", "controller")
    cluster.kubectl(*annotate, "by=hand")
    yield cluster
    cluster.kubectl("delete", "namespace", "messaging", "billing", "--wait=false")
    cluster.kubectl("delete", *files, "--wait=false")


def identity(cluster: Cluster) -> dict[str, Any]:
    """Return of each object what tells it from one made anew, and whether its specification was changed."""
    found = {kind: cluster.get("-n", "messaging", kind, name)["metadata"] for kind, name in OBJECTS.items()}
    return {kind: (metadata["uid"], metadata["generation"]) for kind, metadata in found.items()}


def annotations(cluster: Cluster) -> set[str]:
    """Return the names of the annotations of the Kafka resource."""
    return set(cluster.get("-n", "messaging", "kafka", "events")["metadata"].get("annotations") or {})


def policies(cluster: Cluster) -> set[str]:
    """Return the names of what says who may talk to the cluster."""
    found = cluster.kubectl("-n", "messaging", "get", "authorizationpolicies,networkpolicies", "-o", "name").split()
    return {name.rpartition("/")[2] for name in found}


def test_a_running_cluster_is_taken_over_and_given_back_as_it_was(running: Cluster) -> None:
    before = identity(running)
    result = running.engine("up", "--stack", "adopted", *NOT_WAITING, directory=EXAMPLE)
    assert result.returncode == 0, result.stdout + result.stderr
    # The same objects, and nothing of what they ask for has changed: no broker is rolled, nobody is refused.
    assert identity(running) == before
    assert running.get("namespace", "messaging")["metadata"]["labels"]["istio-injection"] == "enabled"
    assert policies(running) == set()
    assert {"team", "by"} <= annotations(running)

    enforced = (*NOT_WAITING, "--config", "enforced=true")
    result = running.engine("up", "--stack", "adopted", *enforced, directory=EXAMPLE)
    assert result.returncode == 0, result.stdout + result.stderr
    assert identity(running) == before
    assert {"default-deny", "events-kafka", "billing.billing.events"} <= policies(running)
    mode = running.get("-n", "messaging", "peerauthentication", "default")["spec"]["mtls"]["mode"]
    assert mode == "STRICT"
    user = running.get("-n", "messaging", "kafkauser", "billing.billing")
    assert user["spec"]["authentication"]["type"] == "scram-sha-512"

    result = running.engine("destroy", "--stack", "adopted", directory=EXAMPLE)
    assert result.returncode == 0, result.stdout + result.stderr
    assert identity(running) == before
    # The provider removes what kubectl set and the program does not declare, as the example's README says.
    assert annotations(running) == {"team"}
    assert policies(running) == set()
    assert running.kubectl("-n", "messaging", "get", "kafkausers", "-o", "name").split() == [
        "kafkauser.kafka.strimzi.io/billing"
    ]

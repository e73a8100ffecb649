"""Which configurations are refused, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kafka_on_istio.settings.errors import SettingsError
from kafka_on_istio.settings.loading import load
from kafka_on_istio.settings.settings import Settings

pytestmark = pytest.mark.unit

Load = Callable[..., Settings]


def service(name: str, **rest: Any) -> dict[str, Any]:
    """Declare a service of one version."""
    return {"name": name, "versions": [{"name": "v1"}], **rest}


def call(name: str) -> dict[str, str]:
    """Declare a call."""
    return {"service": name, "method": "GET", "path": "/"}


def test_the_defaults_are_valid_and_every_key_has_a_description(settings: Load) -> None:
    assert [item.name for item in settings().services] == [
        "customer",
        "preference",
        "recommendation",
        "consumer",
    ]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"colour": "red"}, ["kafka-on-istio:colour = 'red'", "unknown key", "topicPartitions"]),
        ({"topicPartitions": "ten"}, ["topicPartitions = 'ten'", "integer"]),
        ({"dataPlane": "ambient"}, ["dataPlane = 'ambient'", "'sidecar' or 'none'"]),
        ({"kafkaNamespace": "Kafka_1"}, ["kafkaNamespace = 'Kafka_1'", "lower-case letters"]),
        ({"kafkaNamespace": "demo-app"}, ["must differ from"]),
        ({"kafkaCluster": "a" * 41}, ["kafkaCluster", "at most 40 characters"]),
        ({"image": "registry.example/app"}, ["image = 'registry.example/app'", "tag or a digest"]),
        ({"replicationFactor": 2}, ["replicationFactor", "2"]),
        ({"platform": "openshift"}, ["cni", "must be true on platform openshift"]),
        ({"layer": "everything"}, ["layer = 'everything'", "'all', 'platform' or 'application'"]),
        ({"platformStack": "platform"}, ["platformStack = 'platform'", "organization/project/stack"]),
        ({"platformStack": "a/b/c"}, ["platformStack = 'a/b/c'", "layer all", "remove it"]),
        ({"layer": "platform"}, ["strimziNamespace = ''", "a namespace of its own in layer platform"]),
        ({"layer": "platform", "strimziNamespace": "kafka"}, ["strimziNamespace = 'kafka'", "of its own"]),
        ({"strimziNamespace": "demo-app"}, ["strimziNamespace = 'demo-app'", "must not be"]),
        ({"instance": "PR_1"}, ["instance = 'PR_1'", "lower-case letters"]),
        ({"instance": "a" * 20, "kafkaNamespace": "b" * 50}, ["instance", "kafkaNamespace becomes", "63"]),
        ({"podSecurity": "restricted"}, ["cni = 'false'", "podSecurity restricted"]),
        ({"monitoring": "full", "prometheus": False}, ["monitoring = 'full'", "set prometheus to true"]),
        ({"monitoring": "full", "dataPlane": "none"}, ["monitoring = 'full'", "dataPlane sidecar"]),
        ({"gatewayHost": "a.example"}, ["gatewayHost = 'a.example'", "platform openshift", "remove it"]),
        ({"topologyKey": "a zone"}, ["topologyKey = 'a zone'", "topology.kubernetes.io/zone"]),
        (
            {"autoscaling": {"minReplicas": 3, "maxReplicas": 2, "cpuPercent": 80}},
            ["autoscaling.maxReplicas = 2", "minReplicas, 3"],
        ),
        ({"quotas": {"strimzi": {}}}, ["quotas.strimzi", "unknown key"]),
        ({"quotas": {"kafka": {"pods": "many"}}}, ["quotas.kafka.pods = 'many'", "Kubernetes quantity"]),
        (
            {
                "kafkaData": "protected",
                "kafkaNodePools": [
                    {
                        "name": "p",
                        "roles": ["controller", "broker"],
                        "replicas": 1,
                        "storage": {"type": "ephemeral"},
                    }
                ],
            },
            ["kafkaNodePools[0].storage.type = 'ephemeral'", "persistent-claim with kafkaData protected"],
        ),
        (
            {
                "kafkaData": "protected",
                "kafkaNodePools": [
                    {
                        "name": "p",
                        "roles": ["controller", "broker"],
                        "replicas": 1,
                        "storage": {"type": "persistent-claim", "size": "1Gi", "deleteClaim": True},
                    }
                ],
            },
            ["kafkaNodePools[0].storage.deleteClaim = true", "false with kafkaData protected"],
        ),
        ({"strimziWatchNamespaces": ["*", "a"]}, ["strimziWatchNamespaces", "remove the others"]),
        ({"strimziWatchNamespaces": ["A"]}, ["strimziWatchNamespaces[0] = 'A'", "'*' for all"]),
        ({"userPasswordRotation": {"nobody": 2}}, ["userPasswordRotation", "nobody"]),
        ({"routes": [{"path": "/x", "service": "nobody", "method": "GET", "target": "/"}]}, ["nobody"]),
    ],
)
def test_a_fault_names_key_value_and_what_is_allowed(settings: Load, changed: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(SettingsError) as error:
        settings(**changed)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("services", "words"),
    [
        ([service("a"), service("a")], ["services", "'a'"]),
        ([service("a", calls=[call("b")])], ["services[0].calls[0].service", "'b'"]),
        ([service("a", calls=[call("b")]), service("b", calls=[call("a")])], ["a", "b", "cycle"]),
        (
            [{"name": "a", "versions": [{"name": "v1", "weight": 50}, {"name": "v2", "weight": 40}]}],
            ["services[0].versions", "90", "100"],
        ),
        ([service("a", writes="Upper")], ["services[0].writes", "'Upper'", "lower-case"]),
    ],
)
def test_a_fault_in_the_declaration_of_services_is_named(
    settings: Load, services: list[dict[str, Any]], words: list[str]
) -> None:
    with pytest.raises(SettingsError) as error:
        settings(services=services, routes=[])
    for word in words:
        assert word in str(error.value)


def test_all_faults_are_said_at_once(settings: Load) -> None:
    with pytest.raises(SettingsError) as error:
        settings(topicPartitions=0, dataPlane="x", colour="red")
    assert len(error.value.faults) == 3
    assert str(error.value).startswith("the configuration has 3 faults; nothing was changed:")


def test_a_key_that_is_not_set_has_its_default(settings: Load) -> None:
    assert load({}) == settings()


def test_copies_follow_the_number_of_brokers(settings: Load) -> None:
    def pools(replicas: int) -> list[dict[str, Any]]:
        return [
            {
                "name": "p",
                "roles": ["controller", "broker"],
                "replicas": replicas,
                "storage": {"type": "ephemeral"},
            }
        ]

    found = [settings(kafkaNodePools=pools(number)) for number in (1, 2, 3, 5)]
    assert [item.replicas for item in found] == [1, 2, 3, 3]
    assert [item.min_insync_replicas for item in found] == [1, 1, 2, 2]

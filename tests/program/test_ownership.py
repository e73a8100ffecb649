"""What exists in the cluster and is not of this stack is not taken over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kafka_on_istio.charts.facts import cluster_wide
from kafka_on_istio.charts.stored import stored
from kafka_on_istio.ownership import ANNOTATION, faults, owned
from kafka_on_istio.settings.errors import SettingsError
from kafka_on_istio.settings.settings import Settings

pytestmark = pytest.mark.unit

Load = Callable[..., Settings]
OWNER = "organization/kafka-on-istio/dev"


def test_an_empty_cluster_is_for_any_stack(settings: Load) -> None:
    assert list(faults(settings(), OWNER, {"Namespace/default": None, "ClusterRole/admin": None})) == []


def test_what_this_stack_made_before_is_its_own(settings: Load) -> None:
    made = ("Namespace/kafka", "Namespace/istio-system", *cluster_wide(settings()))
    assert list(faults(settings(), OWNER, dict.fromkeys(made, OWNER))) == []


def test_a_namespace_of_others_is_refused_by_its_setting(settings: Load) -> None:
    there = {"Namespace/kafka": None, "Namespace/demo-app": "organization/kafka-on-istio/other"}
    assert list(faults(settings(), OWNER, there)) == [
        (
            "kafka-on-istio:kafkaNamespace = 'kafka': the namespace exists and is not of this stack; choose another name, "
            "or list it in existingNamespaces"
        ),
        (
            "kafka-on-istio:applicationNamespace = 'demo-app': the namespace exists and is not of this stack (it is of "
            "organization/kafka-on-istio/other); choose another name, or list it in existingNamespaces"
        ),
    ]


def test_a_namespace_that_is_said_to_exist_must(settings: Load) -> None:
    loaded = settings(existingNamespaces=["kafka"])
    assert list(faults(loaded, OWNER, {"Namespace/kafka": None})) == []
    assert list(faults(loaded, OWNER, {})) == [
        (
            "kafka-on-istio:existingNamespaces: there is no namespace 'kafka'; create it, or remove it from the list to have "
            "this stack create it"
        )
    ]


def test_a_namespace_that_this_stack_made_is_not_handed_over_by_a_setting(settings: Load) -> None:
    """Pulumi would delete the Namespace, and all that is in it, before it labels the one that is said to exist."""
    (line,) = faults(settings(existingNamespaces=["kafka"]), OWNER, {"Namespace/kafka": OWNER})
    assert "this stack made the namespace 'kafka', and would now delete it" in line


def test_only_namespaces_of_the_stack_can_be_said_to_exist(settings: Load) -> None:
    with pytest.raises(SettingsError, match=r"existingNamespaces\[0\] = 'kafka'.* kafka-pr-7, demo-app-pr-7"):
        settings(existingNamespaces=["kafka"], instance="pr-7")


def test_objects_without_a_namespace_are_refused_together(settings: Load) -> None:
    there = {"CustomResourceDefinition/kafkas.kafka.strimzi.io": None, "ClusterRole/kiali-viewer": "a/b/c"}
    (line,) = faults(settings(), OWNER, there)
    assert "ClusterRole/kiali-viewer (it is of a/b/c), CustomResourceDefinition/kafkas.kafka.strimzi.io" in line
    assert "layer application" in line


@pytest.mark.parametrize(
    "adopt",
    [
        ["ClusterRole/kiali-viewer", "CustomResourceDefinition/kafkas.kafka.strimzi.io"],
        ["ClusterRole/*", "CustomResourceDefinition/*"],
    ],
)
def test_what_is_to_be_adopted_is_not_refused(settings: Load, adopt: list[str]) -> None:
    there = {"CustomResourceDefinition/kafkas.kafka.strimzi.io": None, "ClusterRole/kiali-viewer": None}
    assert list(faults(settings(adopt=adopt), OWNER, there)) == []


def test_an_application_takes_the_platforms_objects_for_granted(settings: Load) -> None:
    loaded = settings(layer="application", strimziNamespace="strimzi")
    there: dict[str, str | None] = dict.fromkeys(cluster_wide(settings()), None)
    assert cluster_wide(loaded) == ()
    assert list(faults(loaded, OWNER, there | {"Namespace/istio-system": None, "Namespace/strimzi": None})) == []


def test_an_owner_is_added_to_what_an_object_has() -> None:
    thing: dict[str, Any] = {"kind": "ClusterRole", "metadata": {"name": "a", "annotations": {"b": "c"}}}
    assert owned(thing, OWNER)["metadata"] == {"name": "a", "annotations": {"b": "c", ANNOTATION: OWNER}}
    assert thing["metadata"]["annotations"] == {"b": "c"}


def test_a_schema_has_no_empty_properties_which_the_api_server_drops() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"a": {"type": "object", "properties": {}}, "b": {"items": [{"properties": {}, "c": 1}]}},
    }
    made = stored({"kind": "CustomResourceDefinition", "spec": {"versions": [{"schema": schema}]}})
    assert made["spec"]["versions"][0]["schema"] == {
        "type": "object",
        "properties": {"a": {"type": "object"}, "b": {"items": [{"c": 1}]}},
    }
    config = {"kind": "ConfigMap", "data": {"properties": {}}}
    assert stored(config) == config

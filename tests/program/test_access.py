"""The access model as the stack exports it, for its readers."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from kafka_on_istio.access.derivation import access_model
from kafka_on_istio.access.model import Role, from_json, json_schema, to_json
from kafka_on_istio.settings.settings import Settings
from tools.documentation.generated import ROOT

pytestmark = pytest.mark.unit

Load = Callable[..., Settings]


def test_readers_get_the_model_that_policies_are_built_from(settings: Load) -> None:
    model = access_model(settings())
    exported = json.dumps(to_json(model))
    assert from_json(exported) == model
    assert from_json(json.loads(exported)) == model


def test_keys_are_in_camel_case_and_labels_as_they_are(settings: Load) -> None:
    exported = to_json(access_model(settings()))
    brokers = next(item for item in exported["workloads"] if item["role"] == Role.BROKERS.value)
    assert brokers["serviceAccount"] == "demo-app-log-cluster-kafka"
    assert brokers["labels"]["strimzi.io/cluster"] == "demo-app-log-cluster"
    assert exported["version"] == 1


def test_a_reader_names_what_is_missing_and_ignores_what_it_does_not_know(settings: Load) -> None:
    exported = to_json(access_model(settings()))
    assert from_json(exported | {"later": True}) == access_model(settings())
    del exported["users"]
    with pytest.raises(ValidationError, match="users"):
        from_json(exported)


def test_another_version_of_the_schema_is_refused(settings: Load) -> None:
    with pytest.raises(ValidationError, match="version"):
        from_json(to_json(access_model(settings())) | {"version": 2})


def test_the_published_schema_is_current() -> None:
    published = json.loads((ROOT / "docs" / "access-model.schema.json").read_text(encoding="utf-8"))
    assert published == json_schema(), "update it: make docs"

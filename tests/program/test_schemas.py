"""What is asked of Strimzi, held against the schemas of its own CRDs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.program import Program
from lab.charts.assemble import assemble
from tests.program.summary import ROOT, STACKS

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The schema of each kind's ``spec``."""
    charts = tmp_path_factory.mktemp("charts") / "charts"
    assemble(charts, print)
    found = {}
    for path in (Path(charts) / "strimzi-kafka-operator" / "crds").glob("*.yaml"):
        spec = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["spec"]
        schema = spec["versions"][0]["schema"]["openAPIV3Schema"]
        found[spec["names"]["kind"]] = schema["properties"]["spec"]
    return found


@pytest.mark.parametrize("stack", STACKS)
def test_every_field_is_one_that_strimzi_knows(schemas: dict[str, dict[str, Any]], stack: str) -> None:
    for item in Program(ROOT).preview(stack=stack).resources:
        if item.type.startswith("kubernetes:kafka.strimzi.io/"):
            schema = schemas[item.type.rpartition(":")[2]]
            assert list(unknown(item.inputs["spec"], schema, "spec")) == []


def unknown(value: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
    """Yield the paths of fields that a CRD's schema does not have."""
    if isinstance(value, list):
        for item in value:
            yield from unknown(item, schema.get("items", {}), f"{path}[]")
    if not isinstance(value, dict) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    properties, further = schema.get("properties", {}), schema.get("additionalProperties")
    for key, item in value.items():
        if key not in properties and further is None:
            yield f"{path}.{key}"
        yield from unknown(item, properties.get(key) or further or {}, f"{path}.{key}")

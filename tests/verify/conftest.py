"""The access model of the shipped system, as the program exports it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from model.access import exported
from model.settings import load
from verify.access import Model, read

API = ["10.96.0.1/32", "10.0.0.5/32"]
"""The Kubernetes API, as `up` reads it from a cluster: its Service and an endpoint."""

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def shipped() -> dict[str, Any]:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    defaults = {key: value["default"] for key, value in declared.items()}
    settings = {key: value if isinstance(value, str) else json.dumps(value) for key, value in defaults.items()}
    settings |= {"apiServerAddresses": json.dumps(API)}
    found: dict[str, Any] = json.loads(json.dumps(exported(load(settings))))
    return found


@pytest.fixture(scope="session")
def model(shipped: dict[str, Any]) -> Model:
    return read(json.dumps(shipped))

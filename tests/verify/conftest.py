"""The access model of the shipped system, as the program exports it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kafka_on_istio.access.derivation import access_model
from kafka_on_istio.access.model import AccessModel, to_json
from kafka_on_istio.settings.loading import load
from verify.access import read

API = ["10.96.0.1/32", "10.0.0.5/32"]
"""The Kubernetes API, as `up` reads it from a cluster: its Service and an endpoint."""

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def shipped() -> dict[str, Any]:
    return to_json(access_model(load({"apiServerAddresses": json.dumps(API)})))


@pytest.fixture(scope="session")
def model(shipped: dict[str, Any]) -> AccessModel:
    return read(json.dumps(shipped))

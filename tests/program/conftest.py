"""Settings as the program gets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kafka_on_istio.settings.loading import load
from kafka_on_istio.settings.project import project_config
from kafka_on_istio.settings.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def defaults() -> dict[str, Any]:
    """The default of every key."""
    return {key: value["default"] for key, value in project_config().items()}


@pytest.fixture
def settings(defaults: dict[str, Any]) -> Callable[..., Settings]:
    """Load the defaults with some keys set otherwise."""

    def make(**changed: Any) -> Settings:
        return _load({**defaults, **changed})

    return make


@pytest.fixture(scope="session")
def of_stack(defaults: dict[str, Any]) -> Callable[..., Settings]:
    """Load a stack's settings, with some keys set otherwise."""

    def make(stack: str, **changed: Any) -> Settings:
        own = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
        return _load({**defaults, **{key.rpartition(":")[2]: value for key, value in own.items()}, **changed})

    return make


def _load(values: dict[str, Any]) -> Settings:
    return load({key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()})

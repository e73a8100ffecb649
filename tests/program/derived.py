"""What follows from settings, for tests that start with settings."""

from __future__ import annotations

from typing import Any

from kafka_on_istio.access.derivation import access_model
from kafka_on_istio.policies import mesh_policies
from kafka_on_istio.settings.settings import Settings


def policies(settings: Settings) -> list[dict[str, Any]]:
    """Return the manifests of all policies."""
    return mesh_policies.security(access_model(settings))


def routes(settings: Settings) -> list[dict[str, Any]]:
    """Return the manifests of all routes."""
    return mesh_policies.routes(access_model(settings))

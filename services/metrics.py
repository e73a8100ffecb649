"""The metrics of a process, in Prometheus' text format."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""What ``exposition`` returns, as an HTTP content type."""


def new_registry() -> CollectorRegistry:
    """Return a registry with the process metrics; each part adds its own metrics."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """Return the current values."""
    return generate_latest(registry)

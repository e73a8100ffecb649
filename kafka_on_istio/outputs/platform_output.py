"""The stack output ``platform``, and what a stack with layer ``application`` assumes of it."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.alias_generators import to_camel

from kafka_on_istio.settings.settings import NAMESPACE, Settings

_SHARED = (
    "platform",
    "data_plane",
    "istio_namespace",
    "strimzi_namespace",
    "cluster_domain",
    "trust_domain",
    "gateway_service_account",
    "otlp_service",
    "cni",
    "pod_security",
    "monitoring",
)
"""Settings that both stacks share: an application derives the names of its platform from them."""


def exported(settings: Settings) -> dict[str, Any]:
    """Return what other stacks need to know of the platform, the stack output ``platform``.

    It has settings by their keys, and under ``watchedNamespaces`` the namespaces that the Strimzi operator watches
    (``*``: all).
    """
    watched = {settings.strimzi_namespace, *settings.strimzi_watch_namespaces}
    return _shared(settings) | {"watchedNamespaces": sorted(watched)}


def assumed(settings: Settings) -> dict[str, Any]:
    """Return what an application assumes: settings by their keys, and ``kafkaNamespace``."""
    return _shared(settings) | {"kafkaNamespace": settings.kafka_namespace}


def _shared(settings: Settings) -> dict[str, Any]:
    return {to_camel(name): settings.model_dump(mode="json", include={name})[name] for name in _SHARED}


def disagreements(stack: str, assumed: Mapping[str, Any], found: Mapping[str, Any] | None) -> Iterator[str]:
    """Compare the assumptions with the output ``platform`` of ``stack``; yield a line per fault."""
    if found is None:
        yield f"{NAMESPACE}:platformStack = {stack!r}: has no output 'platform'; name a stack that creates a platform"
        return
    for key, value in assumed.items():
        if key == "kafkaNamespace":
            watched = found["watchedNamespaces"]
            if not {value, "*"} & set(watched):
                yield (
                    f"{NAMESPACE}:{key} = {value!r}: the operator of {stack} watches only {', '.join(watched)}; "
                    "add it to strimziWatchNamespaces there"
                )
        elif found.get(key) != value:
            yield f"{NAMESPACE}:{key} = {value!r}: {stack} has {found.get(key)!r}; set the same in both stacks"

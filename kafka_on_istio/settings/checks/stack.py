"""Checks of the stack, its namespaces, the cluster and the mesh."""

from collections.abc import Iterator
from typing import Final

from pydantic.alias_generators import to_camel

from kafka_on_istio.settings.cluster import Platform, PodSecurity
from kafka_on_istio.settings.mesh import DataPlane, ServiceType
from kafka_on_istio.settings.observability import Monitoring
from kafka_on_istio.settings.settings import Settings
from kafka_on_istio.settings.stack import Layer

_LONGEST_NAMESPACE: Final = 63
_OWN_POLICIES: Final = "each has policies of its own"


def _namespaces(settings: Settings) -> Iterator[str]:
    owners: dict[str, str] = {}
    for key in ("istio_namespace", "kafka_namespace", "application_namespace"):
        name = getattr(settings, key)
        if name in owners:
            yield f"{to_camel(key)} = {name!r}: must differ from {owners[name]}; {_OWN_POLICIES}"
        owners.setdefault(name, to_camel(key))


def _instance(settings: Settings) -> Iterator[str]:
    for key in ("kafka_namespace", "application_namespace"):
        name = f"{getattr(settings, key)}-{settings.instance}"
        if settings.instance and len(name) > _LONGEST_NAMESPACE:
            yield (
                f"instance = {settings.instance!r}: {to_camel(key)} becomes {name!r}, "
                f"longer than {_LONGEST_NAMESPACE} characters"
            )


def _layers(settings: Settings) -> Iterator[str]:
    layer, operator = settings.layer, settings.strimzi_namespace
    if layer is not Layer.APPLICATION and settings.platform_stack:
        yield f"platformStack = {settings.platform_stack!r}: layer {layer.value} refers to no platform; remove it"
    shared = (settings.istio_namespace, settings.kafka_namespace, settings.application_namespace)
    if layer is not Layer.ALL and (not operator or operator in shared):
        yield (
            f"strimziNamespace = {operator!r}: must be a namespace of its own in layer {layer.value}, "
            "where the operator belongs to the platform"
        )
    elif operator in (settings.istio_namespace, settings.application_namespace):
        yield f"strimziNamespace = {operator!r}: must not be Istio's or the application's; {_OWN_POLICIES}"


def _existing_namespaces(settings: Settings) -> Iterator[str]:
    suffix = f"-{settings.instance}" if settings.instance else ""
    platform, application = settings.layer is not Layer.APPLICATION, settings.layer is not Layer.PLATFORM
    candidates = {
        settings.istio_namespace: platform,
        f"{settings.kafka_namespace}{suffix}": application,
        f"{settings.application_namespace}{suffix}": application and bool(settings.services),
        settings.strimzi_namespace: platform and bool(settings.strimzi_namespace),
    }
    own = [name for name, used in candidates.items() if used]
    for index, name in enumerate(settings.existing_namespaces):
        if name not in own:
            yield (
                f"existingNamespaces[{index}] = {name!r}: is no namespace of this stack, which has {', '.join(own)}; "
                "remove it, or correct the name"
            )


def _watched(settings: Settings) -> Iterator[str]:
    if "*" in settings.strimzi_watch_namespaces and len(settings.strimzi_watch_namespaces) > 1:
        yield "strimziWatchNamespaces: '*' is all namespaces; remove the others"


def _platform(settings: Settings) -> Iterator[str]:
    if settings.platform is Platform.OPENSHIFT and not settings.cni:
        yield "cni = 'false': must be true on platform openshift, where pods may not change their own network"


def _pod_security(settings: Settings) -> Iterator[str]:
    level, sidecar = settings.pod_security, settings.data_plane is DataPlane.SIDECAR
    if level is not PodSecurity.PRIVILEGED and sidecar and not settings.cni:
        yield f"cni = 'false': must be true with podSecurity {level.value}, which lets no pod change its own network"


def _monitoring(settings: Settings) -> Iterator[str]:
    if settings.monitoring is not Monitoring.FULL:
        return
    if not settings.prometheus:
        yield "monitoring = 'full': requires Prometheus; set prometheus to true"
    if settings.data_plane is DataPlane.NONE:
        yield "monitoring = 'full': requires dataPlane sidecar, because sidecars expose the metrics of their pods"


def _gateway_host(settings: Settings) -> Iterator[str]:
    routed = settings.platform is Platform.OPENSHIFT and settings.gateway_service_type is ServiceType.CLUSTER_IP
    if settings.gateway_host and not routed:
        yield (
            f"gatewayHost = {settings.gateway_host!r}: applies to a Route only, "
            "which exists on platform openshift with gatewayServiceType ClusterIP; remove it"
        )


CHECKS: Final = (
    _namespaces,
    _instance,
    _layers,
    _existing_namespaces,
    _watched,
    _platform,
    _pod_security,
    _monitoring,
    _gateway_host,
)

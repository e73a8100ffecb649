"""The Helm charts that a stack installs, and their values."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kafka_on_istio import names
from kafka_on_istio.charts import alerts
from kafka_on_istio.merge import merge
from kafka_on_istio.settings.cluster import Platform, PodSecurity
from kafka_on_istio.settings.mesh import Chart
from kafka_on_istio.settings.observability import Monitoring
from kafka_on_istio.settings.settings import Settings

ACCESS_LOG = {
    "start_time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "response_code": "%RESPONSE_CODE%",
    "response_flags": "%RESPONSE_FLAGS%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "connection_termination_details": "%CONNECTION_TERMINATION_DETAILS%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration": "%DURATION%",
    "authority": "%REQ(:AUTHORITY)%",
    "trace_id": "%TRACE_ID%",
    "upstream_host": "%UPSTREAM_HOST%",
    "upstream_cluster": "%UPSTREAM_CLUSTER%",
    "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "downstream_peer_uri_san": "%DOWNSTREAM_PEER_URI_SAN%",
    "downstream_local_uri_san": "%DOWNSTREAM_LOCAL_URI_SAN%",
    "downstream_tls_version": "%DOWNSTREAM_TLS_VERSION%",
    "downstream_tls_cipher": "%DOWNSTREAM_TLS_CIPHER%",
    "upstream_peer_uri_san": "%UPSTREAM_PEER_URI_SAN%",
    "upstream_tls_version": "%UPSTREAM_TLS_VERSION%",
    "upstream_tls_cipher": "%UPSTREAM_TLS_CIPHER%",
    "route_name": "%ROUTE_NAME%",
}
"""Fields of every access-log line: who called whom, and over which TLS."""


def _platform(settings: Settings) -> dict[str, Any]:
    # Istio's charts know platforms by a profile each, and plain Kubernetes is the one that has none.
    return {} if settings.platform is Platform.KUBERNETES else {"platform": settings.platform.value}


def _control_plane(settings: Settings, **values: Any) -> dict[str, Any]:
    return {"istioNamespace": settings.istio_namespace} | _platform(settings) | values


def base(settings: Settings) -> dict[str, Any]:
    """Values of Istio's chart ``base`` (the CRDs)."""
    return merge(
        {
            "global": _control_plane(settings),
            "defaultRevision": "default",
            # istiod sets it to Fail once it is ready; any other value would be fought over at the next apply
            # (pulumi/pulumi-kubernetes#2210).
            "base": {"validationFailurePolicy": settings.webhook_failure_policy.value},
        },
        settings.chart_values.base,
    )


def istiod(settings: Settings) -> dict[str, Any]:
    """Values of Istio's chart ``istiod``, with the mesh's configuration."""
    values: dict[str, Any] = {
        "global": _control_plane(settings, proxy={"clusterDomain": settings.cluster_domain}),
        "base": {"validationFailurePolicy": settings.webhook_failure_policy.value},
        "meshConfig": {
            "trustDomain": settings.trust_domain,
            "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
            "accessLogFile": "/dev/stdout",
            "accessLogEncoding": "JSON",
            "accessLogFormat": json.dumps(ACCESS_LOG),
            "extensionProviders": [
                {
                    "name": names.TRACING_PROVIDER,
                    "opentelemetry": {"service": names.otlp_host(settings), "port": names.OTLP_GRPC_PORT},
                }
            ],
            # A service logs in to Kafka when it starts, and needs its sidecar for that.
            "defaultConfig": {"holdApplicationUntilProxyStarts": True},
        },
        # istiod disables injection until its restart if the template does not exist when it starts. A chart's objects
        # are created in parallel, so the pod waits for the template as a volume.
        "volumes": [{"name": "injection-template", "configMap": {"name": names.INJECTION_TEMPLATE}}],
        "volumeMounts": [
            {"name": "injection-template", "mountPath": "/var/lib/istio/injection-template", "readOnly": True}
        ],
    }
    if settings.pod_security is PodSecurity.RESTRICTED:
        values["global"]["proxy"]["seccompProfile"] = {"type": "RuntimeDefault"}
    if settings.cni:
        values["pilot"] = {"cni": {"enabled": True}}
    return merge(values, settings.chart_values.istiod)


def cni(settings: Settings) -> dict[str, Any]:
    """Values of Istio's chart ``cni``."""
    return merge({"global": _platform(settings)}, settings.chart_values.cni)


def gateway(settings: Settings) -> dict[str, Any]:
    """Values of Istio's chart ``gateway``."""
    return merge(
        {
            "global": _platform(settings),
            "name": names.GATEWAY,
            # Set, because it is the gateway's identity and policies name it before it exists.
            "serviceAccount": {"name": settings.gateway_service_account},
            "service": {"type": settings.gateway_service_type.value},
        },
        settings.chart_values.gateway,
    )


def strimzi(settings: Settings) -> dict[str, Any]:
    """Values of the Strimzi operator's chart."""
    watched = settings.strimzi_watch_namespaces
    values: dict[str, Any] = {
        # Its own namespace is always watched, and the chart fails when it is also named here.
        "watchNamespaces": [name for name in watched if name not in ("*", settings.strimzi_namespace)],
        "watchAnyNamespace": "*" in watched,
        "kubernetesServiceDnsDomain": settings.cluster_domain,
        # The policies of MeshSecurity are narrower than Strimzi's, and policies add up. An operator that watches other
        # namespaces keeps them: Kafka clusters of others rely on them.
        "generateNetworkPolicy": settings.operator_is_shared,
        # The operator checks brokers by Strimzi's own certificates and stays outside the mesh.
        "labels": {"sidecar.istio.io/inject": "false"},
    }
    if settings.pod_security is PodSecurity.RESTRICTED:
        values |= {
            "podSecurityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            # What it makes is held to the same.
            "extraEnvs": [{"name": "STRIMZI_POD_SECURITY_PROVIDER_CLASS", "value": "restricted"}],
        }
    return merge(values, settings.chart_values.strimzi)


def jaeger(settings: Settings) -> dict[str, Any]:
    """Values of Jaeger's chart (v2, all in one, spans in memory)."""
    return merge({"fullnameOverride": settings.otlp_service}, settings.chart_values.jaeger)


def prometheus(settings: Settings) -> dict[str, Any]:
    """Values of Prometheus' chart: the server alone, with rules where it is to warn."""
    values: dict[str, Any] = {
        "server": {"fullnameOverride": names.PROMETHEUS, "persistentVolume": {"enabled": False}},
        "alertmanager": {"enabled": False},
        "kube-state-metrics": {"enabled": False},
        "prometheus-node-exporter": {"enabled": False},
        "prometheus-pushgateway": {"enabled": False},
    }
    if settings.monitoring is Monitoring.FULL:
        values["serverFiles"] = {"alerting_rules.yml": {"groups": alerts.groups()}}
    return merge(values, settings.chart_values.prometheus)


def kiali(settings: Settings) -> dict[str, Any]:
    """Values of Kiali's chart, wired to Prometheus and Jaeger."""
    return merge(
        {
            # The chart draws another key at each render where none is given, and puts it in a ConfigMap.
            "login_token": {"signing_key": f"secret:{names.KIALI_SIGNING_KEY}:{names.KIALI_SIGNING_KEY_KEY}"},
            "external_services": {
                "grafana": {"enabled": False},
                "istio": {"root_namespace": settings.istio_namespace},
                "prometheus": {"url": names.prometheus_url(settings)},
                "tracing": {
                    "enabled": settings.jaeger,
                    "provider": "jaeger",
                    "use_grpc": True,
                    "internal_url": f"http://{names.otlp_host(settings)}:{names.JAEGER_QUERY_GRPC_PORT}",
                },
            },
        },
        settings.chart_values.kiali,
    )


@dataclass(frozen=True)
class Release:
    """A chart as a stack installs it; ``key`` is its key in ``chartValues``."""

    key: str
    chart: str
    repository: str
    version: str
    name: str
    namespace: str
    values: Mapping[str, Any]


def releases(settings: Settings) -> Iterator[Release]:
    """Yield every chart that a stack installs."""
    if not settings.has_platform:
        return

    def istio(key: str, chart: str, name: str, values: Mapping[str, Any]) -> Release:
        origin = settings.istio_charts
        return Release(key, chart, origin.repository, origin.version, name, settings.istio_namespace, values)

    def other(key: str, chart: Chart, name: str, namespace: str, values: Mapping[str, Any]) -> Release:
        return Release(key, chart.chart, chart.repository, chart.version, name, namespace, values)

    yield istio("base", settings.istio_charts.base, names.BASE_RELEASE, base(settings))
    yield istio("istiod", settings.istio_charts.istiod, names.ISTIOD_RELEASE, istiod(settings))
    if settings.cni:
        yield istio("cni", settings.istio_charts.cni, names.CNI_RELEASE, cni(settings))
    if settings.sidecar_injection:
        yield istio("gateway", settings.istio_charts.gateway, names.GATEWAY, gateway(settings))
    yield other("strimzi", settings.strimzi_chart, names.STRIMZI_RELEASE, settings.strimzi_namespace, strimzi(settings))
    tools = settings.istio_namespace
    if settings.jaeger:
        yield other("jaeger", settings.jaeger_chart, settings.otlp_service, tools, jaeger(settings))
    if settings.prometheus:
        yield other("prometheus", settings.prometheus_chart, names.PROMETHEUS, tools, prometheus(settings))
    if settings.kiali:
        yield other("kiali", settings.kiali_chart, names.KIALI, tools, kiali(settings))

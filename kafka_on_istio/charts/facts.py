"""What the program assumes of the public charts: a row per chart, with where it was read.

Policies name workloads of charts before these exist, and values are set by keys that a release of a chart may rename.
`python -m tools.ci.charts` compares this table with the real charts; tests compare the policies with this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kafka_on_istio import names
from kafka_on_istio.settings.settings import Settings


@dataclass(frozen=True)
class ChartWorkload:
    """A Deployment or DaemonSet of a chart: its service account and the labels of its pods that policies select by."""

    service_account: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class ChartFacts:
    """What is assumed of one chart.

    ``read_in`` is where; ``services`` are ports by Service and by name of the port; ``cluster_wide`` are all objects
    without a namespace, as ``Kind/name``; ``values`` are all keys that the program sets, paths with dots between them.
    A last part ``*`` is any key below. ``inert`` are those of ``values`` that change nothing in this version of the
    chart, and are set because its documentation says so.
    """

    read_in: str
    values: tuple[str, ...]
    inert: tuple[str, ...] = ()
    services: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    workloads: Mapping[str, ChartWorkload] = field(default_factory=dict)
    cluster_wide: tuple[str, ...] = ()


_PLATFORM_VALUE = "global.platform"


def chart_facts(settings: Settings) -> dict[str, ChartFacts]:
    """Return what is assumed of each chart that a stack installs, by the chart's key in ``chartValues``."""
    if not settings.has_platform:
        return {}
    found = {"base": _base(), "istiod": _istiod(settings), "strimzi": _strimzi(settings)}
    if settings.cni:
        found["cni"] = _cni()
    if settings.sidecar_injection:
        found["gateway"] = _gateway(settings)
    if settings.jaeger:
        found["jaeger"] = _jaeger(settings)
    if settings.prometheus:
        found["prometheus"] = _prometheus()
    if settings.kiali:
        found["kiali"] = _kiali()
    return found


def cluster_wide(settings: Settings) -> tuple[str, ...]:
    """Return every object without a namespace that the charts of a stack make, each as ``Kind/name``."""
    return tuple(sorted({item for facts in chart_facts(settings).values() for item in facts.cluster_wide}))


def _each(kind: str, *found: str) -> tuple[str, ...]:
    return tuple(f"{kind}/{name}" for name in found)


def _base() -> ChartFacts:
    return ChartFacts(
        read_in="istio/istio manifests/charts/base, 1.31",
        values=("global.istioNamespace", _PLATFORM_VALUE, "defaultRevision", "base.validationFailurePolicy"),
        inert=(_PLATFORM_VALUE,),
        cluster_wide=(
            *_each(
                "CustomResourceDefinition",
                "authorizationpolicies.security.istio.io",
                "destinationrules.networking.istio.io",
                "envoyfilters.networking.istio.io",
                "gateways.networking.istio.io",
                "peerauthentications.security.istio.io",
                "proxyconfigs.networking.istio.io",
                "requestauthentications.security.istio.io",
                "serviceentries.networking.istio.io",
                "sidecars.networking.istio.io",
                "telemetries.telemetry.istio.io",
                "trafficextensions.extensions.istio.io",
                "virtualservices.networking.istio.io",
                "wasmplugins.extensions.istio.io",
                "workloadentries.networking.istio.io",
                "workloadgroups.networking.istio.io",
            ),
            "ValidatingWebhookConfiguration/istiod-default-validator",
        ),
    )


def _istiod(settings: Settings) -> ChartFacts:
    namespace = settings.istio_namespace
    roles = (f"istio-reader-clusterrole-{namespace}", f"istiod-clusterrole-{namespace}")
    controller = f"istiod-gateway-controller-{namespace}"
    return ChartFacts(
        read_in="istio/istio manifests/charts/istio-control/istio-discovery, 1.31",
        values=(
            "global.istioNamespace",
            _PLATFORM_VALUE,
            "global.proxy.clusterDomain",
            "global.proxy.seccompProfile.type",
            "base.validationFailurePolicy",
            "meshConfig.*",
            "pilot.cni.enabled",
            "autoscaleMin",
            "volumes",
            "volumeMounts",
        ),
        services={"istiod": {"grpc-xds": 15010, "https-dns": names.ISTIOD_PORT, "https-webhook": 443}},
        workloads={"istiod": ChartWorkload("istiod", {"app": "istiod"})},
        cluster_wide=(
            *_each("ClusterRole", *roles, controller),
            *_each("ClusterRoleBinding", *roles, controller),
            "MutatingWebhookConfiguration/istio-sidecar-injector",
            f"ValidatingWebhookConfiguration/istio-validator-{namespace}",
        ),
    )


def _cni() -> ChartFacts:
    return ChartFacts(
        read_in="istio/istio manifests/charts/istio-cni, 1.31",
        values=(_PLATFORM_VALUE,),
        workloads={"istio-cni-node": ChartWorkload("istio-cni", {"k8s-app": "istio-cni-node"})},
        cluster_wide=(
            *_each("ClusterRole", "istio-cni", "istio-cni-repair-role"),
            *_each("ClusterRoleBinding", "istio-cni", "istio-cni-repair-rolebinding"),
        ),
    )


def _gateway(settings: Settings) -> ChartFacts:
    return ChartFacts(
        read_in="istio/istio manifests/charts/gateway, 1.31",
        values=(
            _PLATFORM_VALUE,
            "name",
            "serviceAccount.name",
            "service.type",
            "autoscaling.minReplicas",
            "podDisruptionBudget.minAvailable",
        ),
        inert=(_PLATFORM_VALUE,),
        services={names.GATEWAY: {"status-port": 15021, "http2": names.GATEWAY_PORT}},
        workloads={names.GATEWAY: ChartWorkload(settings.gateway_service_account, names.GATEWAY_LABELS)},
    )


def _strimzi(settings: Settings) -> ChartFacts:
    operator = names.OPERATOR
    everywhere = ("namespaced", "watched", "entity-operator-delegation")
    return ChartFacts(
        read_in="strimzi/strimzi-kafka-operator packaging/helm-charts/helm3, 1.2.0",
        values=(
            "watchNamespaces",
            "watchAnyNamespace",
            "kubernetesServiceDnsDomain",
            "generateNetworkPolicy",
            "labels.*",
            "podSecurityContext.*",
            "extraEnvs",
        ),
        workloads={operator: ChartWorkload(operator, names.OPERATOR_LABELS)},
        cluster_wide=(
            *_each(
                "CustomResourceDefinition",
                "kafkabridges.kafka.strimzi.io",
                "kafkaconnectors.kafka.strimzi.io",
                "kafkaconnects.kafka.strimzi.io",
                "kafkamirrormaker2s.kafka.strimzi.io",
                "kafkanodepools.kafka.strimzi.io",
                "kafkarebalances.kafka.strimzi.io",
                "kafkas.kafka.strimzi.io",
                "kafkatopics.kafka.strimzi.io",
                "kafkausers.kafka.strimzi.io",
                "strimzipodsets.core.strimzi.io",
            ),
            *_each(
                "ClusterRole",
                f"{operator}-global",
                f"{operator}-leader-election",
                f"{operator}-namespaced",
                f"{operator}-watched",
                "strimzi-entity-operator",
                "strimzi-kafka-broker",
                "strimzi-kafka-client",
            ),
            *_each(
                "ClusterRoleBinding",
                operator,
                f"{operator}-kafka-broker-delegation",
                f"{operator}-kafka-client-delegation",
                *(f"{operator}-{role}" for role in everywhere if "*" in settings.strimzi_watch_namespaces),
            ),
        ),
    )


def _jaeger(settings: Settings) -> ChartFacts:
    return ChartFacts(
        read_in="jaegertracing/helm-charts charts/jaeger, 4.11.1",
        values=("fullnameOverride",),
        services={
            settings.otlp_service: {
                "otlp-grpc": names.OTLP_GRPC_PORT,
                "otlp-http": names.OTLP_HTTP_PORT,
                "http-query": names.JAEGER_QUERY_PORT,
                "grpc-query": names.JAEGER_QUERY_GRPC_PORT,
            }
        },
    )


def _prometheus() -> ChartFacts:
    return ChartFacts(
        read_in="prometheus-community/helm-charts charts/prometheus, 29.27.0",
        values=(
            "server.fullnameOverride",
            "server.persistentVolume.enabled",
            "server.persistentVolume.size",
            "alertmanager.enabled",
            "kube-state-metrics.enabled",
            "prometheus-node-exporter.enabled",
            "prometheus-pushgateway.enabled",
            "serverFiles.alerting_rules.*",
        ),
        services={names.PROMETHEUS: {"http": names.PROMETHEUS_PORT}},
        workloads={names.PROMETHEUS: ChartWorkload(names.PROMETHEUS, names.PROMETHEUS_LABELS)},
        cluster_wide=(f"ClusterRole/{names.PROMETHEUS}", f"ClusterRoleBinding/{names.PROMETHEUS}"),
    )


def _kiali() -> ChartFacts:
    return ChartFacts(
        read_in="kiali/helm-charts kiali-server, 2.29.0 and the branch of 2.30",
        values=("external_services.*", "login_token.signing_key"),
        services={names.KIALI: {"http": names.KIALI_PORT}},
        workloads={names.KIALI: ChartWorkload(names.KIALI, {"app.kubernetes.io/name": names.KIALI})},
        cluster_wide=("ClusterRole/kiali-viewer", "ClusterRoleBinding/kiali-viewer"),
    )

"""Names, identities and addresses, derived from settings so that nothing has to be read back from the cluster."""

from dataclasses import dataclass

from kafka_on_istio.settings.application import Service, Version
from kafka_on_istio.settings.settings import Settings

SERVICE_PORT = 8080
"""Port on which every service of the application listens."""

KAFKA_PORT = 9092
"""Port of the brokers' listener for clients."""

STRIMZI_PORTS = {"tcp-ctrlplane": 9090, "tcp-replication": 9091, "tcp-kafkaagent": 8443}
"""Ports on which Strimzi's own mutual TLS guards the brokers (Strimzi 1.2, KafkaCluster.java)."""

ISTIOD_PORT = 15012
"""Port of istiod for certificates and configuration, by mutual TLS."""

TELEMETRY_PORT = 15020
"""Port of Istio's agent for rewritten probes and merged metrics."""

KAFKA_METRICS_PORT = 9404
"""Port on which Strimzi's metrics reporter serves what Kafka measures (Strimzi 1.2, MetricsModel.java)."""

OTLP_GRPC_PORT = 4317
OTLP_HTTP_PORT = 4318

BASE_RELEASE = "istio-base"
"""Name of the Helm release of Istio's CRDs."""

ISTIOD_RELEASE = "istiod"
"""Name of the Helm release of Istio's control plane."""

INJECTION_TEMPLATE = "istio-sidecar-injector"
"""Name of the ConfigMap with the template for sidecar injection, without a revision."""

CNI_RELEASE = "istio-cni"
"""Name of the Helm release of Istio's CNI plug-in."""

STRIMZI_RELEASE = "strimzi"
"""Name of the Helm release of the Strimzi operator."""

OPERATOR = "strimzi-cluster-operator"
"""Name of the Strimzi operator's Deployment and service account, fixed by its chart."""

OPERATOR_LABELS = {"name": OPERATOR}
"""Labels that the Strimzi operator's chart gives its pods."""

GATEWAY = "istio-ingressgateway"
"""Name of the ingress gateway's Helm release."""

GATEWAY_RESOURCE = "ingress"
"""Name of the Gateway resource, of its VirtualService and of the gateway's policies."""

GATEWAY_PORT = 80
"""Port on which the ingress gateway takes HTTP."""

GATEWAY_LABELS = {"istio": "ingressgateway"}
"""Labels that the gateway chart gives the pods of that release (the name without its prefix ``istio-``)."""

TRACING_PROVIDER = "otlp"
"""Name of the tracing provider in Istio's mesh configuration."""


def workload(service: Service, version: Version) -> str:
    """Name of a version's Deployment and service account, such as ``recommendation-v3``."""
    return f"{service.name}-{version.name}"


def labels(service: str, version: str) -> dict[str, str]:
    """Labels that select the pods of a version."""
    return {"app": service, "version": version}


def identity(trust_domain: str, namespace: str, service_account: str) -> str:
    """Identity of a service account in a mesh, as an AuthorizationPolicy names it."""
    return f"{trust_domain}/ns/{namespace}/sa/{service_account}"


def principal(settings: Settings, namespace: str, service_account: str) -> str:
    """Identity of a service account in the settings' mesh."""
    return identity(settings.trust_domain, namespace, service_account)


def network_policy(service_account: str) -> str:
    """Name of the NetworkPolicy of a workload.

    Strimzi never uses the suffix: its NetworkPolicies are ``<cluster>-network-policy-kafka``, ``<cluster>-<component>``
    (``-entity-operator``, ``-kafka-exporter``, ``-cruise-control``, ``-connect``, ``-mirrormaker2``), and the chart's
    ``strimzi-cluster-operator-network-policy`` (Strimzi 1.2). It overwrites a policy that has one of its names.
    """
    return f"{service_account}-access"


def host(service: str, namespace: str, cluster_domain: str) -> str:
    """DNS name of a Service."""
    return f"{service}.{namespace}.svc.{cluster_domain}"


def address(settings: Settings, service: str, namespace: str) -> str:
    """DNS name of a Service in the settings' cluster."""
    return host(service, namespace, settings.cluster_domain)


def service_address(settings: Settings, service: str) -> str:
    """DNS name of a service of the application."""
    return address(settings, service, settings.application_namespace)


@dataclass(frozen=True)
class Kafka:
    """The names that Strimzi gives what belongs to a cluster."""

    cluster: str
    namespace: str
    cluster_domain: str

    @property
    def bootstrap_host(self) -> str:
        """DNS name of the bootstrap Service."""
        return host(f"{self.cluster}-kafka-bootstrap", self.namespace, self.cluster_domain)

    @property
    def brokers_host(self) -> str:
        """DNS name of the headless Service under which each broker has its own name."""
        return host(f"{self.cluster}-kafka-brokers", self.namespace, self.cluster_domain)

    @property
    def bootstrap_address(self) -> str:
        """Host and port that clients start from."""
        return f"{self.bootstrap_host}:{KAFKA_PORT}"

    @property
    def broker_account(self) -> str:
        """Service account of the brokers."""
        return f"{self.cluster}-kafka"

    @property
    def entity_operator_account(self) -> str:
        """Service account of the entity operator."""
        return f"{self.cluster}-entity-operator"

    @property
    def broker_labels(self) -> dict[str, str]:
        """Labels of broker pods and nothing else."""
        return {"strimzi.io/cluster": self.cluster, "strimzi.io/name": self.broker_account}

    @property
    def entity_operator_labels(self) -> dict[str, str]:
        """Labels of the entity operator's pods and nothing else."""
        return {"strimzi.io/cluster": self.cluster, "strimzi.io/name": self.entity_operator_account}


def kafka(settings: Settings) -> Kafka:
    """Names of what belongs to the settings' cluster."""
    return Kafka(settings.kafka_cluster, settings.kafka_namespace, settings.cluster_domain)


def otlp_host(settings: Settings) -> str:
    """DNS name of the Service that receives traces."""
    return address(settings, settings.otlp_service, settings.istio_namespace)


def otlp_endpoint(settings: Settings) -> str:
    """URL to which services send their spans (OTLP over gRPC)."""
    return f"http://{otlp_host(settings)}:{OTLP_GRPC_PORT}"


def scraped(port: int) -> dict[str, str]:
    """Annotations by which Prometheus finds a pod's metrics; Istio's agent hands them on with those of the sidecar."""
    return {"prometheus.io/scrape": "true", "prometheus.io/port": str(port), "prometheus.io/path": "/metrics"}


def gateway_principal(settings: Settings) -> str:
    """Identity of the ingress gateway."""
    return principal(settings, settings.istio_namespace, settings.gateway_service_account)


def gateway_host(settings: Settings) -> str:
    """DNS name of the ingress gateway inside the cluster."""
    return address(settings, GATEWAY, settings.istio_namespace)


PROMETHEUS = "prometheus"
"""Name of Prometheus' Service, and of its service account."""

PROMETHEUS_PORT = 80
"""Port of Prometheus' Service."""

PROMETHEUS_LABELS = {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/component": "server"}
"""Labels that Prometheus' chart gives the pods of the server and no others."""

JAEGER_QUERY_PORT = 16686
JAEGER_QUERY_GRPC_PORT = 16685

KIALI = "kiali"
"""Name of Kiali's Helm release, Service and service account."""

KIALI_PORT = 20001

KIALI_SIGNING_KEY = "kiali-signing-key"
"""Name of the Secret with the key that signs Kiali's logins."""

KIALI_SIGNING_KEY_KEY = "key"
"""Key of the signing key in that Secret."""


def prometheus_url(settings: Settings) -> str:
    """URL of Prometheus' API."""
    return f"http://{address(settings, PROMETHEUS, settings.istio_namespace)}:{PROMETHEUS_PORT}"


def jaeger_url(settings: Settings) -> str:
    """URL of Jaeger's user interface."""
    return f"http://{otlp_host(settings)}:{JAEGER_QUERY_PORT}"


def kiali_url(settings: Settings) -> str:
    """URL of Kiali's user interface."""
    return f"http://{address(settings, KIALI, settings.istio_namespace)}:{KIALI_PORT}/kiali"

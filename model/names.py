"""Names, identities and addresses, derived from settings so that nothing has to be read back from the cluster."""

from model.settings import Service, Settings, Version

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

OPERATOR = "strimzi-cluster-operator"
"""Name of the Strimzi operator's Deployment and service account, fixed by its chart."""

GATEWAY = "istio-ingressgateway"
"""Name of the ingress gateway's Helm release."""

GATEWAY_PORT = 80
"""Port on which the ingress gateway takes HTTP."""

GATEWAY_LABELS = {"istio": "ingressgateway"}
"""Labels that the gateway chart gives the pods of that release (the name without its prefix ``istio-``)."""

TRACING_PROVIDER = "otlp"
"""Name of the tracing provider in Istio's mesh configuration."""


def workload(service: Service, version: Version) -> str:
    """Name of a version's Deployment and service account, such as ``recommendation-v3``."""
    return f"{service.name}-{version.name}"


def labels(service: Service, version: Version) -> dict[str, str]:
    """Labels that select the pods of a version."""
    return {"app": service.name, "version": version.name}


def principal(settings: Settings, namespace: str, service_account: str) -> str:
    """Identity of a service account in the mesh, as an AuthorizationPolicy names it."""
    return f"{settings.trust_domain}/ns/{namespace}/sa/{service_account}"


def address(settings: Settings, service: str, namespace: str) -> str:
    """DNS name of a Service."""
    return f"{service}.{namespace}.svc.{settings.cluster_domain}"


def service_address(settings: Settings, service: str) -> str:
    """DNS name of a service of the application."""
    return address(settings, service, settings.application_namespace)


def bootstrap_host(settings: Settings) -> str:
    """DNS name of Kafka's bootstrap Service."""
    return address(settings, f"{settings.kafka_cluster}-kafka-bootstrap", settings.kafka_namespace)


def brokers_host(settings: Settings) -> str:
    """DNS name of the headless Service under which each broker has its own name."""
    return address(settings, f"{settings.kafka_cluster}-kafka-brokers", settings.kafka_namespace)


def bootstrap_address(settings: Settings) -> str:
    """Host and port that Kafka clients start from."""
    return f"{bootstrap_host(settings)}:{KAFKA_PORT}"


def broker_account(settings: Settings) -> str:
    """Service account of the brokers, as Strimzi names it."""
    return f"{settings.kafka_cluster}-kafka"


def entity_operator_account(settings: Settings) -> str:
    """Service account of the entity operator, as Strimzi names it."""
    return f"{settings.kafka_cluster}-entity-operator"


def broker_labels(settings: Settings) -> dict[str, str]:
    """Labels that Strimzi gives broker pods and nothing else."""
    return {"strimzi.io/cluster": settings.kafka_cluster, "strimzi.io/name": broker_account(settings)}


def entity_operator_labels(settings: Settings) -> dict[str, str]:
    """Labels that Strimzi gives the entity operator's pods and nothing else."""
    return {
        "strimzi.io/cluster": settings.kafka_cluster,
        "strimzi.io/name": entity_operator_account(settings),
    }


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

PROMETHEUS_LABELS = {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/component": "server"}
"""Labels that Prometheus' chart gives the pods of the server and no others."""

JAEGER_QUERY_PORT = 16686
JAEGER_QUERY_GRPC_PORT = 16685

KIALI_PORT = 20001


def prometheus_url(settings: Settings) -> str:
    """URL of Prometheus' API."""
    return f"http://{address(settings, PROMETHEUS, settings.istio_namespace)}:80"


def jaeger_url(settings: Settings) -> str:
    """URL of Jaeger's user interface."""
    return f"http://{otlp_host(settings)}:{JAEGER_QUERY_PORT}"


def kiali_url(settings: Settings) -> str:
    """URL of Kiali's user interface."""
    return f"http://{address(settings, 'kiali', settings.istio_namespace)}:{KIALI_PORT}/kiali"

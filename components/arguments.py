"""What each component is given, out of the settings: the one place where the model meets the components."""

from typing import Any

from components.chart import ChartSource
from components.demo_service import DemoServiceArgs, DemoServiceVersionArgs
from components.istio_control_plane import IstioControlPlaneArgs
from components.kafka_cluster import KafkaClusterArgs
from components.kafka_credentials import KafkaCredentials
from components.kafka_topic import KafkaTopicArgs
from components.kafka_user import KafkaUserArgs
from components.mesh_namespace import MeshNamespaceArgs
from components.mesh_routes import MeshRoutesArgs
from components.mesh_security import MeshSecurityArgs
from components.observability import ObservabilityArgs
from components.platform_reference import PlatformReferenceArgs
from components.strimzi_operator import StrimziOperatorArgs
from model import access, charts, kafka, names, platform, policies, workloads
from model.settings import Chart, Service, ServiceType, Settings, Version


def _source(chart: str, repository: str, version: str, values: dict[str, Any]) -> ChartSource:
    source: ChartSource = {"chart": chart, "values": values}
    if repository:
        source["repository"] = repository
    if version:
        source["version"] = version
    return source


def _chart(chart: Chart, values: dict[str, Any]) -> ChartSource:
    return _source(chart.chart, chart.repository, chart.version, values)


def istio_control_plane(settings: Settings) -> IstioControlPlaneArgs:
    """Istio's charts; a gateway only where there is a data plane."""

    def istio(chart: str, values: dict[str, Any]) -> ChartSource:
        origin = settings.istio_charts
        return _source(chart, origin.repository, origin.version, values)

    args: IstioControlPlaneArgs = {
        "namespace": settings.istio_namespace,
        "namespace_exists": settings.istio_namespace in settings.existing_namespaces,
        "pod_security": settings.istio_pod_security.value,
        "base": istio(settings.istio_charts.base, charts.base(settings)),
        "istiod": istio(settings.istio_charts.istiod, charts.istiod(settings)),
        "trust_domain": settings.trust_domain,
        "wait": settings.wait_for_ready,
        "timeout": settings.timeouts.chart,
    }
    if settings.cni:
        args["cni"] = istio(settings.istio_charts.cni, charts.cni(settings))
    if settings.injected:
        args["gateway"] = {
            "chart": istio(settings.istio_charts.gateway, charts.gateway(settings)),
            "name": names.GATEWAY,
            "host": names.gateway_host(settings),
            "principal": names.gateway_principal(settings),
            "has_address": settings.gateway_service_type is ServiceType.LOAD_BALANCER,
        }
        if settings.routed:
            args["gateway"]["route"] = policies.route_spec(settings)
            if settings.gateway_host:
                args["gateway"]["route_host"] = settings.gateway_host
    return args


def platform_reference(settings: Settings) -> PlatformReferenceArgs:
    """The stack with the platform, if one has made it, and what the settings say of it."""
    return {
        "stack": settings.platform_stack,
        "namespace": settings.istio_namespace,
        "gateway_host": names.gateway_host(settings),
        "assumed": platform.assumed(settings),
    }


def mesh_namespace(settings: Settings, name: str) -> MeshNamespaceArgs:
    """One of the namespaces of the mesh, by its name among the settings' ``namespaces``."""
    namespace = settings.namespaces[name]
    args: MeshNamespaceArgs = {
        "namespace": namespace,
        "exists": namespace in settings.existing_namespaces,
        "injected": settings.injected,
        "pod_security": settings.pod_security.value,
    }
    quota = {"kafka": settings.quotas.kafka, "application": settings.quotas.application}.get(name)
    if quota:
        args["quota"] = {"hard": quota}
        args["container_defaults"] = workloads.container_defaults()
    return args


def observability(settings: Settings) -> ObservabilityArgs:
    """The tools that are switched on."""
    args: ObservabilityArgs = {
        "namespace": settings.istio_namespace,
        "tracing_provider": names.TRACING_PROVIDER,
        "sampling": settings.tracing_sampling,
        "otlp_endpoint": names.otlp_endpoint(settings),
        "jaeger_name": settings.otlp_service,
        "jaeger_url": names.jaeger_url(settings),
        "prometheus_url": names.prometheus_url(settings),
        "kiali_url": names.kiali_url(settings),
        "wait": settings.wait_for_ready,
        "timeout": settings.timeouts.chart,
    }
    if settings.jaeger:
        args["jaeger"] = _chart(settings.jaeger_chart, charts.jaeger(settings))
    if settings.prometheus:
        args["prometheus"] = _chart(settings.prometheus_chart, charts.prometheus(settings))
    if settings.kiali:
        args["kiali"] = _chart(settings.kiali_chart, charts.kiali(settings))
        args["kiali_signing_key"] = names.KIALI_SIGNING_KEY
    return args


def mesh_security(settings: Settings) -> MeshSecurityArgs:
    """All policies."""
    return {"policies": list(policies.policies(settings))}


def mesh_routes(settings: Settings) -> MeshRoutesArgs:
    """Where calls go."""
    return {"routes": list(policies.routes(settings))}


def strimzi_operator(settings: Settings) -> StrimziOperatorArgs:
    """The operator, in its namespace."""
    return {
        "namespace": settings.strimzi_namespace,
        "chart": _chart(settings.strimzi_chart, charts.strimzi(settings)),
        "wait": settings.wait_for_ready,
        "timeout": settings.timeouts.chart,
    }


def kafka_cluster(settings: Settings) -> KafkaClusterArgs:
    """The cluster and its node pools."""
    return {
        "namespace": settings.kafka_namespace,
        "cluster_name": settings.kafka_cluster,
        "spec": kafka.kafka_spec(settings),
        "node_pools": [{"name": pool.name, "spec": kafka.node_pool_spec(pool)} for pool in settings.kafka_node_pools],
        "cluster_domain": settings.cluster_domain,
        "trust_domain": settings.trust_domain,
        "wait": settings.wait_for_ready,
        "timeout": settings.timeouts.kafka,
    }


def kafka_topic(settings: Settings, topic: str) -> KafkaTopicArgs:
    """One of the topics."""
    return {
        "namespace": settings.kafka_namespace,
        "cluster_name": settings.kafka_cluster,
        "topic_name": topic,
        "spec": kafka.topic_spec(settings, topic),
        "wait": settings.wait_for_ready,
        "timeout": settings.timeouts.custom_resource,
    }


def kafka_user(settings: Settings, user: access.KafkaUser) -> KafkaUserArgs:
    """One of the users, with what its service needs."""
    own = settings.user_password_rotation.get(user.name, 1)
    return {
        "namespace": settings.kafka_namespace,
        "cluster_name": settings.kafka_cluster,
        "user_name": user.name,
        "acls": [{"resource": acl.resource, "name": acl.name, "operations": list(acl.operations)} for acl in user.acls],
        "cluster_domain": settings.cluster_domain,
        "rotation": f"{settings.password_rotation}.{own}",
        "wait": settings.wait_for_ready,
        "timeout": settings.timeouts.custom_resource,
    }


def demo_service(settings: Settings, service: Service, credentials: KafkaCredentials | None) -> DemoServiceArgs:
    """One of the application's services; with credentials it is logged in to Kafka."""
    kafka_environment = (
        workloads.kafka_environment(
            credentials.user_name,
            credentials.bootstrap_address,
            credentials.secret_name,
            credentials.secret_key,
        )
        if credentials
        else []
    )
    return {
        "namespace": settings.application_namespace,
        "service_name": service.name,
        "service": workloads.service_spec(service),
        "versions": [_version(settings, service, version, kafka_environment) for version in service.versions],
        "wait": settings.wait_for_ready,
        "timeout": settings.timeouts.deployment,
    }


def _version(
    settings: Settings, service: Service, version: Version, kafka_environment: list[dict[str, Any]]
) -> DemoServiceVersionArgs:
    args: DemoServiceVersionArgs = {
        "name": names.workload(service, version),
        "labels": names.labels(service, version),
        "deployment": workloads.deployment_spec(settings, service, version, kafka_environment),
    }
    autoscaler = workloads.autoscaler_spec(settings, service, version)
    if autoscaler:
        args["autoscaler"] = autoscaler
    disruption_budget = workloads.disruption_budget_spec(settings, service, version)
    if disruption_budget:
        args["disruption_budget"] = disruption_budget
    return args

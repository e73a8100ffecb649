"""Derives the access model from the settings."""

from collections.abc import Collection, Iterable, Iterator

from kafka_on_istio import names
from kafka_on_istio.access.model import (
    AccessModel,
    Acl,
    Authentication,
    Edge,
    Entry,
    ExternalHost,
    Infrastructure,
    Kafka,
    KafkaUser,
    Mesh,
    Network,
    PodSelector,
    Port,
    Role,
    Service,
    ServiceVersion,
    Workload,
)
from kafka_on_istio.settings import application
from kafka_on_istio.settings.observability import Monitoring
from kafka_on_istio.settings.settings import Settings


def access_model(settings: Settings) -> AccessModel:
    """Derive everything that is allowed; a platform without an application has workloads only."""
    has_application = settings.has_application
    workloads = (
        *(_application_workloads(settings) if has_application else ()),
        *(_kafka_workloads(settings) if has_application else ()),
        *_platform_workloads(settings),
    )
    edges = (*_calls(settings), *_kafka_clients(settings), *_strimzi(settings), *_scrapes(settings, workloads))
    return AccessModel(
        mesh=Mesh(
            trust_domain=settings.trust_domain,
            cluster_domain=settings.cluster_domain,
            data_plane=settings.data_plane.value,
            istio_namespace=settings.istio_namespace,
            creates_platform=settings.has_platform,
            own_namespaces=tuple(settings.namespaces.values()),
        ),
        kafka=Kafka(
            cluster=settings.kafka_cluster,
            namespace=settings.kafka_namespace,
            bootstrap=names.kafka(settings).bootstrap_address,
            partitions=settings.topic_partitions,
            replicas=settings.replicas,
        ),
        network=_network(settings),
        workloads=workloads,
        services=tuple(_services(settings)) if has_application else (),
        edges=edges if has_application else (),
        entries=tuple(_entries(settings)) if has_application else (),
        topics=settings.topics if has_application else (),
        users=tuple(_kafka_users(settings)) if has_application else (),
        external_hosts=tuple(_external_hosts(settings)) if has_application else (),
        infrastructure=tuple(_infrastructure(settings, workloads)),
    )


def _brokers_id(settings: Settings) -> str:
    return f"{settings.kafka_namespace}/{names.kafka(settings).broker_account}"


def _entity_operator_id(settings: Settings) -> str:
    return f"{settings.kafka_namespace}/{names.kafka(settings).entity_operator_account}"


def _operator_id(settings: Settings) -> str:
    return f"{settings.strimzi_namespace}/{names.OPERATOR}"


def _gateway_id(settings: Settings) -> str:
    return f"{settings.istio_namespace}/{names.GATEWAY}"


def _prometheus_id(settings: Settings) -> str:
    return f"{settings.istio_namespace}/{names.PROMETHEUS}"


def _workload_id(settings: Settings, service: application.Service, version: application.Version) -> str:
    return f"{settings.application_namespace}/{names.workload(service, version)}"


def _service_ids(settings: Settings, name: str) -> tuple[str, ...]:
    service = settings.service(name)
    return tuple(_workload_id(settings, service, version) for version in service.versions)


def _network(settings: Settings) -> Network:
    is_open = settings.prometheus and settings.monitoring is Monitoring.BASIC
    return Network(
        private_ranges=tuple(settings.private_ranges),
        watched_namespaces=tuple(settings.strimzi_watch_namespaces),
        metrics_reader=PodSelector(settings.istio_namespace, dict(names.PROMETHEUS_LABELS)) if is_open else None,
    )


def _services(settings: Settings) -> Iterator[Service]:
    for service in settings.services:
        versions = tuple(
            ServiceVersion(version.name, _workload_id(settings, service, version), version.weight)
            for version in service.versions
        )
        host = names.service_address(settings, service.name)
        yield Service(service.name, settings.application_namespace, host, versions)


def _application_workloads(settings: Settings) -> Iterator[Workload]:
    for service in settings.services:
        for version in service.versions:
            name = names.workload(service, version)
            yield Workload(
                id=_workload_id(settings, service, version),
                role=Role.SERVICE,
                namespace=settings.application_namespace,
                service_account=name,
                principal=names.principal(settings, settings.application_namespace, name),
                labels=names.labels(service.name, version.name),
                sidecar=settings.sidecar_injection,
                ports=(Port("http", names.SERVICE_PORT, "http"),),
                hosts=(names.service_address(settings, service.name),),
            )


def _kafka_workloads(settings: Settings) -> Iterator[Workload]:
    kafka = names.kafka(settings)
    clients = Port("tcp-clients", names.KAFKA_PORT, "tcp")
    yield Workload(
        id=_brokers_id(settings),
        role=Role.BROKERS,
        namespace=settings.kafka_namespace,
        service_account=kafka.broker_account,
        principal=names.principal(settings, settings.kafka_namespace, kafka.broker_account),
        labels=kafka.broker_labels,
        sidecar=settings.sidecar_injection,
        ports=(clients, *(Port(name, port, "tcp") for name, port in names.STRIMZI_PORTS.items())),
        hosts=(kafka.bootstrap_host, kafka.brokers_host),
    )
    yield Workload(
        id=_entity_operator_id(settings),
        role=Role.ENTITY_OPERATOR,
        namespace=settings.kafka_namespace,
        service_account=kafka.entity_operator_account,
        principal=names.principal(settings, settings.kafka_namespace, kafka.entity_operator_account),
        labels=kafka.entity_operator_labels,
        sidecar=settings.sidecar_injection,
        ports=(),
        hosts=(),
    )


def _platform_workloads(settings: Settings) -> Iterator[Workload]:
    yield Workload(
        id=_operator_id(settings),
        role=Role.CLUSTER_OPERATOR,
        namespace=settings.strimzi_namespace,
        service_account=names.OPERATOR,
        principal=names.principal(settings, settings.strimzi_namespace, names.OPERATOR),
        labels=dict(names.OPERATOR_LABELS),
        sidecar=False,
        ports=(),
        hosts=(),
    )
    yield Workload(
        id=_gateway_id(settings),
        role=Role.GATEWAY,
        namespace=settings.istio_namespace,
        service_account=settings.gateway_service_account,
        principal=names.gateway_principal(settings),
        labels=dict(names.GATEWAY_LABELS),
        sidecar=settings.sidecar_injection,
        ports=(Port("http2", names.GATEWAY_PORT, "http"),),
        hosts=(names.address(settings, names.GATEWAY, settings.istio_namespace),),
    )
    if settings.monitoring is Monitoring.FULL:
        yield Workload(
            id=_prometheus_id(settings),
            role=Role.PROMETHEUS,
            namespace=settings.istio_namespace,
            service_account=names.PROMETHEUS,
            principal=names.principal(settings, settings.istio_namespace, names.PROMETHEUS),
            labels=dict(names.PROMETHEUS_LABELS),
            sidecar=False,
            ports=(),
            hosts=(names.address(settings, names.PROMETHEUS, settings.istio_namespace),),
        )


def _calls(settings: Settings) -> Iterator[Edge]:
    def http(source: str, service: str, method: str, path: str) -> Iterator[Edge]:
        for destination in _service_ids(settings, service):
            yield Edge(source, destination, names.SERVICE_PORT, "http", Authentication.MESH, method, path)

    for route in settings.routes:
        yield from http(_gateway_id(settings), route.service, route.method.value, route.target)
    for service in settings.services:
        for source in _service_ids(settings, service.name):
            for call in service.calls:
                yield from http(source, call.service, call.method.value, call.path)


def _kafka_clients(settings: Settings) -> Iterator[Edge]:
    for user in _kafka_users(settings):
        for source in user.workloads:
            yield Edge(source, _brokers_id(settings), names.KAFKA_PORT, "tcp", Authentication.MESH)


def _strimzi(settings: Settings) -> Iterator[Edge]:
    brokers = _brokers_id(settings)
    reached = {
        _operator_id(settings): ("tcp-ctrlplane", "tcp-replication", "tcp-kafkaagent"),
        brokers: ("tcp-ctrlplane", "tcp-replication"),
        _entity_operator_id(settings): ("tcp-replication",),
    }
    for source, ports in reached.items():
        for port in ports:
            yield Edge(source, brokers, names.STRIMZI_PORTS[port], "tcp", Authentication.STRIMZI)


def _scrapes(settings: Settings, workloads: Iterable[Workload]) -> Iterator[Edge]:
    if settings.monitoring is Monitoring.FULL:
        for workload in workloads:
            if workload.sidecar:
                source = _prometheus_id(settings)
                yield Edge(source, workload.id, names.TELEMETRY_PORT, "http", Authentication.NETWORK)


def _entries(settings: Settings) -> Iterator[Entry]:
    for route in settings.routes:
        yield Entry(path=route.path, method=route.method.value, service=route.service, target=route.target)


def _kafka_users(settings: Settings) -> Iterator[KafkaUser]:
    """Yield one Kafka user per service that writes or reads."""
    for service in settings.services:
        if service.user:
            yield KafkaUser(service.user, service.name, _service_ids(settings, service.name), tuple(_acls(service)))


def _acls(service: application.Service) -> Iterator[Acl]:
    """Yield what a service needs, and no more; a topic is created by Strimzi where the writer's offsets are its own."""
    for topic in service.reads:
        yield Acl("topic", topic, ("Read", "Describe"))
    if service.group:
        yield Acl("group", service.group, ("Read", "Describe"))
    if service.writes and not service.reads:
        yield Acl("topic", service.writes, ("Write", "Create", "Describe"))
    if service.writes and service.transactional_id:
        yield Acl("topic", service.writes, ("Write", "Describe"))
        yield Acl("transactionalId", service.transactional_id, ("Write", "Describe"))


def _external_hosts(settings: Settings) -> Iterator[ExternalHost]:
    sources: dict[tuple[str, int, str], list[str]] = {}
    for service in settings.services:
        for version in service.versions:
            for host in version.hosts:
                found = sources.setdefault((host.host, host.port, host.protocol.value), [])
                found.append(_workload_id(settings, service, version))
    for key, found in sources.items():
        yield ExternalHost(*key, sources=tuple(dict.fromkeys(found)))


def _infrastructure(settings: Settings, workloads: Collection[Workload]) -> Iterator[Infrastructure]:
    every = tuple(workload.id for workload in workloads)
    with_sidecar = tuple(workload.id for workload in workloads if workload.sidecar)
    application = tuple(workload.id for workload in workloads if workload.role is Role.SERVICE)
    yield Infrastructure("dns", settings.dns_namespace, settings.dns_labels, (), tuple(settings.dns_ports), every)
    yield Infrastructure(
        "istiod",
        settings.istio_namespace,
        {"app": "istiod"},
        (names.address(settings, "istiod", settings.istio_namespace),),
        (names.ISTIOD_PORT,),
        with_sidecar,
    )
    yield Infrastructure(
        "otlp",
        settings.istio_namespace,
        {},
        (names.otlp_host(settings),),
        (names.OTLP_GRPC_PORT, names.OTLP_HTTP_PORT),
        tuple(dict.fromkeys((*application, *with_sidecar))),
    )
    # Kafka nodes read their certificates from Secrets through the API (Strimzi 0.49 and later, strimzisecrets), and a
    # broker reads its rack from its Kubernetes node.
    api_clients = (Role.ENTITY_OPERATOR, Role.CLUSTER_OPERATOR, Role.BROKERS, Role.PROMETHEUS)
    yield Infrastructure(
        "kubernetes",
        None,
        {},
        (names.address(settings, "kubernetes", "default"),),
        tuple(settings.api_server_ports),
        tuple(workload.id for workload in workloads if workload.role in api_clients),
        tuple(settings.api_server_addresses),
    )

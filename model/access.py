"""Who may talk to whom: the access model, derived from the one declaration.

Every policy is built from it, and the stack exports it, so that a proof can be made against it alone.
"""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from model import names
from model.settings import Monitoring, Service, Settings, Version


class Authentication(str, Enum):
    """How the two ends of an edge know each other."""

    MESH = "mesh"
    """Istio's mutual TLS, judged by an AuthorizationPolicy."""
    STRIMZI = "strimzi"
    """Strimzi's own mutual TLS, on ports that Istio leaves permissive."""
    NETWORK = "network"
    """Not at all: a port of Istio's agent, for which NetworkPolicies alone say who may use it."""


@dataclass(frozen=True)
class Port:
    """A port on which a workload listens; ``protocol`` is http or tcp."""

    name: str
    port: int
    protocol: str


@dataclass(frozen=True)
class Workload:
    """Pods that share labels and an identity. ``id`` is ``namespace/name``; ``host`` is None when nothing is served."""

    id: str
    namespace: str
    service_account: str
    principal: str
    labels: dict[str, str]
    sidecar: bool
    ports: tuple[Port, ...]
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class Edge:
    """A connection that is allowed; all others are not. ``method`` and ``path`` are None unless it is HTTP."""

    source: str
    destination: str
    port: int
    protocol: str
    authentication: Authentication
    method: str | None = None
    path: str | None = None


@dataclass(frozen=True)
class Entry:
    """A path that may be called from outside the cluster, through the ingress gateway."""

    path: str
    method: str
    service: str
    target: str


@dataclass(frozen=True)
class Acl:
    """What a Kafka user may do with one resource; ``resource`` is topic, group or transactionalId."""

    resource: str
    name: str
    operations: tuple[str, ...]


@dataclass(frozen=True)
class KafkaUser:
    """A Kafka user, the workloads that log in as it and all it may do."""

    name: str
    service: str
    workloads: tuple[str, ...]
    acls: tuple[Acl, ...]


@dataclass(frozen=True)
class ExternalHost:
    """A host outside the cluster and the workloads that may reach it."""

    host: str
    port: int
    protocol: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Infrastructure:
    """What workloads need besides the declared edges: the service and ports, and who may use them.

    ``namespace`` is None and ``labels`` are empty where what serves it is not known by them. ``addresses`` are its
    address ranges, empty where they are not known.
    """

    name: str
    namespace: str | None
    labels: dict[str, str]
    hosts: tuple[str, ...]
    ports: tuple[int, ...]
    sources: tuple[str, ...]
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class AccessModel:
    """All that is allowed in the system."""

    workloads: tuple[Workload, ...]
    edges: tuple[Edge, ...]
    entries: tuple[Entry, ...]
    topics: tuple[str, ...]
    users: tuple[KafkaUser, ...]
    external_hosts: tuple[ExternalHost, ...]
    infrastructure: tuple[Infrastructure, ...]

    def workload(self, identifier: str) -> Workload:
        """Return the workload of that id; raises StopIteration when there is none."""
        return next(workload for workload in self.workloads if workload.id == identifier)

    def into(self, identifier: str) -> tuple[Edge, ...]:
        """Return the edges that end at a workload."""
        return tuple(edge for edge in self.edges if edge.destination == identifier)

    def out_of(self, identifier: str) -> tuple[Edge, ...]:
        """Return the edges that start at a workload."""
        return tuple(edge for edge in self.edges if edge.source == identifier)


def brokers_id(settings: Settings) -> str:
    """Id of the brokers in the access model."""
    return f"{settings.kafka_namespace}/{names.kafka(settings).broker_account}"


def entity_operator_id(settings: Settings) -> str:
    """Id of the entity operator in the access model."""
    return f"{settings.kafka_namespace}/{names.kafka(settings).entity_operator_account}"


def operator_id(settings: Settings) -> str:
    """Id of Strimzi's cluster operator in the access model."""
    return f"{settings.strimzi_namespace}/{names.OPERATOR}"


def gateway_id(settings: Settings) -> str:
    """Id of the ingress gateway in the access model."""
    return f"{settings.istio_namespace}/{names.GATEWAY}"


def prometheus_id(settings: Settings) -> str:
    """Id of Prometheus in the access model."""
    return f"{settings.istio_namespace}/{names.PROMETHEUS}"


def workload_id(settings: Settings, service: Service, version: Version) -> str:
    """Id of a version of a service in the access model."""
    return f"{settings.application_namespace}/{names.workload(service, version)}"


def service_ids(settings: Settings, name: str) -> tuple[str, ...]:
    """Ids of all versions of a service."""
    service = settings.service(name)
    return tuple(workload_id(settings, service, version) for version in service.versions)


def access_model(settings: Settings) -> AccessModel:
    """Derive all that is allowed from the declaration; of a platform alone it is nothing but its workloads."""
    if not settings.has_application:
        platform = tuple(_platform_workloads(settings))
        return AccessModel(platform, (), (), (), (), (), _infrastructure(settings, platform))
    workloads = (
        *_application_workloads(settings),
        *_kafka_workloads(settings),
        *_platform_workloads(settings),
    )
    return AccessModel(
        workloads=workloads,
        edges=(
            *_calls(settings),
            *_kafka_clients(settings),
            *_strimzi(settings),
            *_scrapes(settings, workloads),
        ),
        entries=tuple(
            Entry(path=route.path, method=route.method.value, service=route.service, target=route.target)
            for route in settings.routes
        ),
        topics=settings.topics,
        users=kafka_users(settings),
        external_hosts=_external_hosts(settings),
        infrastructure=_infrastructure(settings, workloads),
    )


def _application_workloads(settings: Settings) -> Iterable[Workload]:
    for service in settings.services:
        for version in service.versions:
            name = names.workload(service, version)
            yield Workload(
                id=workload_id(settings, service, version),
                namespace=settings.application_namespace,
                service_account=name,
                principal=names.principal(settings, settings.application_namespace, name),
                labels=names.labels(service, version),
                sidecar=settings.injected,
                ports=(Port("http", names.SERVICE_PORT, "http"),),
                hosts=(names.service_address(settings, service.name),),
            )


def _kafka_workloads(settings: Settings) -> Iterable[Workload]:
    def strimzi(identifier: str, account: str, labels: dict[str, str], **serves: Any) -> Workload:
        return Workload(
            id=identifier,
            namespace=settings.kafka_namespace,
            service_account=account,
            principal=names.principal(settings, settings.kafka_namespace, account),
            labels=labels,
            sidecar=settings.injected,
            **serves,
        )

    yield strimzi(
        brokers_id(settings),
        names.kafka(settings).broker_account,
        names.kafka(settings).broker_labels,
        ports=(
            Port("tcp-clients", names.KAFKA_PORT, "tcp"),
            *(Port(name, port, "tcp") for name, port in names.STRIMZI_PORTS.items()),
        ),
        hosts=(names.kafka(settings).bootstrap_host, names.kafka(settings).brokers_host),
    )
    yield strimzi(
        entity_operator_id(settings),
        names.kafka(settings).entity_operator_account,
        names.kafka(settings).entity_operator_labels,
        ports=(),
        hosts=(),
    )


def _platform_workloads(settings: Settings) -> Iterable[Workload]:
    yield Workload(
        id=operator_id(settings),
        namespace=settings.strimzi_namespace,
        service_account=names.OPERATOR,
        principal=names.principal(settings, settings.strimzi_namespace, names.OPERATOR),
        labels=dict(names.OPERATOR_LABELS),
        sidecar=False,
        ports=(),
        hosts=(),
    )
    yield Workload(
        id=gateway_id(settings),
        namespace=settings.istio_namespace,
        service_account=settings.gateway_service_account,
        principal=names.gateway_principal(settings),
        labels=dict(names.GATEWAY_LABELS),
        sidecar=settings.injected,
        ports=(Port("http2", names.GATEWAY_PORT, "http"),),
        hosts=(names.address(settings, names.GATEWAY, settings.istio_namespace),),
    )
    if settings.monitoring is Monitoring.FULL:
        yield Workload(
            id=prometheus_id(settings),
            namespace=settings.istio_namespace,
            service_account=names.PROMETHEUS,
            principal=names.principal(settings, settings.istio_namespace, names.PROMETHEUS),
            labels=dict(names.PROMETHEUS_LABELS),
            sidecar=False,
            ports=(),
            hosts=(names.address(settings, names.PROMETHEUS, settings.istio_namespace),),
        )


def _calls(settings: Settings) -> Iterable[Edge]:
    def http(source: str, service: str, method: str, path: str) -> Iterable[Edge]:
        for destination in service_ids(settings, service):
            yield Edge(source, destination, names.SERVICE_PORT, "http", Authentication.MESH, method, path)

    for route in settings.routes:
        yield from http(gateway_id(settings), route.service, route.method.value, route.target)
    for service in settings.services:
        for source in service_ids(settings, service.name):
            for call in service.calls:
                yield from http(source, call.service, call.method.value, call.path)


def _kafka_clients(settings: Settings) -> Iterable[Edge]:
    for user in kafka_users(settings):
        for source in user.workloads:
            yield Edge(source, brokers_id(settings), names.KAFKA_PORT, "tcp", Authentication.MESH)


def _strimzi(settings: Settings) -> Iterable[Edge]:
    brokers = brokers_id(settings)
    reached = {
        operator_id(settings): ("tcp-ctrlplane", "tcp-replication", "tcp-kafkaagent"),
        brokers: ("tcp-ctrlplane", "tcp-replication"),
        entity_operator_id(settings): ("tcp-replication",),
    }
    for source, ports in reached.items():
        for port in ports:
            yield Edge(source, brokers, names.STRIMZI_PORTS[port], "tcp", Authentication.STRIMZI)


def _scrapes(settings: Settings, workloads: Iterable[Workload]) -> Iterable[Edge]:
    if settings.monitoring is Monitoring.FULL:
        for workload in workloads:
            if workload.sidecar:
                source = prometheus_id(settings)
                yield Edge(source, workload.id, names.TELEMETRY_PORT, "http", Authentication.NETWORK)


def kafka_users(settings: Settings) -> tuple[KafkaUser, ...]:
    """Return one Kafka user per service that writes or reads, with what it needs and no more."""
    return tuple(
        KafkaUser(service.user, service.name, service_ids(settings, service.name), _acls(service))
        for service in settings.services
        if service.user
    )


def _acls(service: Service) -> tuple[Acl, ...]:
    acls = [Acl("topic", topic, ("Read", "Describe")) for topic in service.reads]
    if service.group:
        acls.append(Acl("group", service.group, ("Read", "Describe")))
    if service.writes and not service.reads:
        acls.append(Acl("topic", service.writes, ("Write", "Create", "Describe")))
    if service.writes and service.reads:
        acls.append(Acl("topic", service.writes, ("Write", "Describe")))
        acls.append(Acl("transactionalId", transactional_id(service), ("Write", "Describe")))
    return tuple(acls)


def transactional_id(service: Service) -> str:
    """Transactional id of a service that writes what it has read in one transaction with its offsets."""
    return service.group or service.name


def _external_hosts(settings: Settings) -> tuple[ExternalHost, ...]:
    sources: dict[tuple[str, int, str], list[str]] = {}
    for service in settings.services:
        for version in service.versions:
            for host in version.hosts:
                found = sources.setdefault((host.host, host.port, host.protocol.value), [])
                found.append(workload_id(settings, service, version))
    return tuple(ExternalHost(*key, sources=tuple(dict.fromkeys(found))) for key, found in sources.items())


def _infrastructure(settings: Settings, workloads: Collection[Workload]) -> tuple[Infrastructure, ...]:
    every = tuple(workload.id for workload in workloads)
    meshed = tuple(workload.id for workload in workloads if workload.sidecar)
    application = tuple(workload.id for workload in workloads if workload.namespace == settings.application_namespace)
    return (
        Infrastructure("dns", settings.dns_namespace, settings.dns_labels, (), tuple(settings.dns_ports), every),
        Infrastructure(
            "istiod",
            settings.istio_namespace,
            {"app": "istiod"},
            (names.address(settings, "istiod", settings.istio_namespace),),
            (names.ISTIOD_PORT,),
            meshed,
        ),
        Infrastructure(
            "otlp",
            settings.istio_namespace,
            {},
            (names.otlp_host(settings),),
            (names.OTLP_GRPC_PORT, names.OTLP_HTTP_PORT),
            tuple(dict.fromkeys((*application, *meshed))),
        ),
        Infrastructure(
            "kubernetes",
            None,
            {},
            (names.address(settings, "kubernetes", "default"),),
            tuple(settings.api_server_ports),
            tuple(workload.id for workload in workloads if workload.id in _api_clients(settings)),
            tuple(settings.api_server_addresses),
        ),
    )


def _api_clients(settings: Settings) -> tuple[str, ...]:
    # Kafka nodes read their certificates from Secrets through the API (Strimzi 0.49 and later, strimzisecrets), and a
    # broker reads its rack from its Kubernetes node.
    return (entity_operator_id(settings), operator_id(settings), brokers_id(settings), prometheus_id(settings))


def exported(settings: Settings) -> dict[str, Any]:
    """Return the access model as plain JSON: the stack output ``accessModel``.

    Lists of workloads, edges, entries, topics, users, externalHosts and infrastructure as in AccessModel, keys in
    camel case, and under ``mesh`` and ``kafka`` the names that a client needs.
    """
    model = asdict(access_model(settings))
    return {
        "mesh": {
            "trustDomain": settings.trust_domain,
            "clusterDomain": settings.cluster_domain,
            "dataPlane": settings.data_plane.value,
            "istioNamespace": settings.istio_namespace,
        },
        "kafka": {
            "cluster": settings.kafka_cluster,
            "namespace": settings.kafka_namespace,
            "bootstrap": names.kafka(settings).bootstrap_address,
            "partitions": settings.topic_partitions,
            "replicas": settings.replicas,
        },
        **{_camel(key): _plain(value) for key, value in model.items()},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict) and not any("." in key or "/" in key for key in value):
        return {_camel(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def _camel(key: str) -> str:
    head, *rest = key.split("_")
    return head + "".join(part.capitalize() for part in rest)

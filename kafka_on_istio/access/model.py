"""The access model: everything that is allowed in the system. Everything else is refused.

The stack output ``accessModel`` is this model as JSON, with keys in camel case; ``docs/access-model.schema.json`` is
its schema. Policies are built from the model, and a proof needs nothing but the output.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final, Literal

from pydantic import ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass

SCHEMA_VERSION: Final = 1
"""Raised when a reader of the previous schema would misread the output; new keys alone do not raise it."""

_JSON: Final = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


class Authentication(str, Enum):
    """How the two ends of an edge authenticate."""

    MESH = "mesh"
    """Istio's mutual TLS, with an AuthorizationPolicy."""
    STRIMZI = "strimzi"
    """Strimzi's own mutual TLS, on ports where Istio's is permissive."""
    NETWORK = "network"
    """None: a port of Istio's agent, which NetworkPolicies alone protect."""


class Role(str, Enum):
    """What a workload is in the system."""

    SERVICE = "service"
    BROKERS = "brokers"
    ENTITY_OPERATOR = "entity-operator"
    CLUSTER_OPERATOR = "cluster-operator"
    GATEWAY = "gateway"
    PROMETHEUS = "prometheus"


@dataclass(frozen=True, config=_JSON)
class Port:
    """A port on which a workload listens; ``protocol`` is http or tcp."""

    name: str
    port: int
    protocol: str


@dataclass(frozen=True, config=_JSON)
class Workload:
    """Pods that share labels and an identity.

    ``id`` is ``namespace/name``. ``hosts`` are the DNS names of the Services in front of it; empty if there are none.
    """

    id: str
    role: Role
    namespace: str
    service_account: str
    principal: str
    labels: dict[str, str]
    sidecar: bool
    ports: tuple[Port, ...]
    hosts: tuple[str, ...]

    def port(self, number: int) -> Port | None:
        """Return the declared port of that number; None if there is none."""
        return next((port for port in self.ports if port.port == number), None)


@dataclass(frozen=True, config=_JSON)
class ServiceVersion:
    """A version of a service: the id of its workload, and its share of the calls in percent."""

    name: str
    workload: str
    weight: int


@dataclass(frozen=True, config=_JSON)
class Service:
    """A service of the application, and the DNS name of the Service in front of all its versions."""

    name: str
    namespace: str
    host: str
    versions: tuple[ServiceVersion, ...]


@dataclass(frozen=True, config=_JSON)
class Edge:
    """An allowed connection. ``method`` and ``path`` are None unless it is HTTP between declared services."""

    source: str
    destination: str
    port: int
    protocol: str
    authentication: Authentication
    method: str | None = None
    path: str | None = None


@dataclass(frozen=True, config=_JSON)
class Entry:
    """A path that may be called from outside the cluster, through the ingress gateway."""

    path: str
    method: str
    service: str
    target: str


@dataclass(frozen=True, config=_JSON)
class Acl:
    """What a Kafka user may do with one resource; ``resource`` is topic, group or transactionalId."""

    resource: str
    name: str
    operations: tuple[str, ...]


@dataclass(frozen=True, config=_JSON)
class KafkaUser:
    """A Kafka user, the workloads that log in as it and everything that it may do."""

    name: str
    service: str
    workloads: tuple[str, ...]
    acls: tuple[Acl, ...]


@dataclass(frozen=True, config=_JSON)
class ExternalHost:
    """A host outside the cluster and the workloads that may reach it; ``protocol`` is HTTP, HTTPS or TCP."""

    host: str
    port: int
    protocol: str
    sources: tuple[str, ...]


@dataclass(frozen=True, config=_JSON)
class Infrastructure:
    """A service that workloads need besides the declared edges, and who may use it.

    ``namespace`` is None and ``labels`` are empty if its pods cannot be selected. ``addresses`` are its address ranges;
    empty if they are unknown.
    """

    name: str
    namespace: str | None
    labels: dict[str, str]
    hosts: tuple[str, ...]
    ports: tuple[int, ...]
    sources: tuple[str, ...]
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, config=_JSON)
class Mesh:
    """The mesh.

    ``creates_platform`` tells whether this stack creates Istio. ``own_namespaces`` are those besides Istio's that this
    stack isolates.
    """

    trust_domain: str
    cluster_domain: str
    data_plane: str
    istio_namespace: str
    creates_platform: bool
    own_namespaces: tuple[str, ...]


@dataclass(frozen=True, config=_JSON)
class Kafka:
    """The Kafka cluster, its address for clients, and the partitions and replicas of every topic."""

    cluster: str
    namespace: str
    bootstrap: str
    partitions: int
    replicas: int


@dataclass(frozen=True, config=_JSON)
class PodSelector:
    """The pods of a namespace that have these labels."""

    namespace: str
    labels: dict[str, str]


@dataclass(frozen=True, config=_JSON)
class Network:
    """What NetworkPolicies allow besides edges and infrastructure.

    ``private_ranges`` are excluded from egress to external hosts. ``watched_namespaces`` are those in which the cluster
    operator reaches brokers of other stacks (``*``: all). ``metrics_reader`` may read every sidecar's metrics; None if
    nothing does, or if it is a workload of the model.
    """

    private_ranges: tuple[str, ...]
    watched_namespaces: tuple[str, ...]
    metrics_reader: PodSelector | None


@dataclass(frozen=True, config=_JSON)
class AccessModel:
    """Everything that is allowed in the system."""

    mesh: Mesh
    kafka: Kafka
    network: Network
    workloads: tuple[Workload, ...]
    services: tuple[Service, ...]
    edges: tuple[Edge, ...]
    entries: tuple[Entry, ...]
    topics: tuple[str, ...]
    users: tuple[KafkaUser, ...]
    external_hosts: tuple[ExternalHost, ...]
    infrastructure: tuple[Infrastructure, ...]
    version: Literal[1] = SCHEMA_VERSION

    def workload(self, identifier: str) -> Workload:
        """Return the workload of that id; raises StopIteration if there is none."""
        return next(workload for workload in self.workloads if workload.id == identifier)

    def with_role(self, role: Role) -> Workload | None:
        """Return the first workload of a role; None if there is none."""
        return next((workload for workload in self.workloads if workload.role is role), None)

    def own(self) -> Iterator[Workload]:
        """Yield the workloads in the namespaces that this stack isolates."""
        return (workload for workload in self.workloads if workload.namespace in self.mesh.own_namespaces)

    @property
    def isolated_namespaces(self) -> frozenset[str]:
        """The namespaces with a default deny, of this stack and of its platform."""
        return frozenset(workload.namespace for workload in self.workloads) - {self.mesh.istio_namespace}

    @property
    def gateway(self) -> Workload | None:
        """The ingress gateway; None without a data plane."""
        gateway = self.with_role(Role.GATEWAY)
        return gateway if gateway and gateway.sidecar else None

    @property
    def kafka_port(self) -> int:
        """The port of the brokers' listener for clients."""
        return int(self.kafka.bootstrap.rpartition(":")[2])

    def into(self, identifier: str) -> tuple[Edge, ...]:
        """Return the edges that end at a workload."""
        return tuple(edge for edge in self.edges if edge.destination == identifier)

    def out_of(self, identifier: str) -> tuple[Edge, ...]:
        """Return the edges that start at a workload."""
        return tuple(edge for edge in self.edges if edge.source == identifier)


_MODEL: Final = TypeAdapter(AccessModel)


def to_json(model: AccessModel) -> dict[str, Any]:
    """Return the model as plain JSON, the stack output ``accessModel``."""
    exported: dict[str, Any] = _MODEL.dump_python(model, mode="json", by_alias=True)
    return exported


def from_json(exported: str | bytes | Mapping[str, Any]) -> AccessModel:
    """Read the stack output ``accessModel``, as JSON text or as an object.

    Raises pydantic.ValidationError if a key is missing or wrong.
    """
    if isinstance(exported, Mapping):
        return _MODEL.validate_python(exported)
    return _MODEL.validate_json(exported)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the stack output ``accessModel``."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_MODEL.json_schema()}

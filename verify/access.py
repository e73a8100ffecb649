"""The access model as the stack exports it: the only source of what is expected."""

from __future__ import annotations

from enum import Enum

import msgspec

from verify.errors import VerifyError


class Struct(msgspec.Struct, frozen=True, rename="camel"):
    """An object of the model; keys that nobody here asks for are left alone."""


class Authentication(str, Enum):
    """How the two ends of an edge know each other: by Istio's mutual TLS, by Strimzi's own, or not at all."""

    MESH = "mesh"
    STRIMZI = "strimzi"
    NETWORK = "network"


class Port(Struct, frozen=True):
    """A port on which a workload listens; ``protocol`` is http or tcp."""

    name: str
    port: int
    protocol: str


class Workload(Struct, frozen=True):
    """Pods that share labels and an identity; ``id`` is ``namespace/name``."""

    id: str
    namespace: str
    service_account: str
    principal: str
    labels: dict[str, str]
    sidecar: bool
    ports: tuple[Port, ...]
    hosts: tuple[str, ...]

    def port(self, number: int) -> Port | None:
        """Return the declared port of that number, if there is one."""
        return next((port for port in self.ports if port.port == number), None)


class Edge(Struct, frozen=True):
    """A connection that is allowed; ``method`` and ``path`` are None unless it is HTTP."""

    source: str
    destination: str
    port: int
    protocol: str
    authentication: Authentication
    method: str | None = None
    path: str | None = None


class Entry(Struct, frozen=True):
    """A path that may be called from outside the cluster, through the ingress gateway."""

    path: str
    method: str
    service: str
    target: str


class Acl(Struct, frozen=True):
    """What a Kafka user may do with one resource."""

    resource: str
    name: str
    operations: tuple[str, ...]


class KafkaUser(Struct, frozen=True):
    """A Kafka user, and the workloads that log in as it."""

    name: str
    service: str
    workloads: tuple[str, ...]
    acls: tuple[Acl, ...]


class ExternalHost(Struct, frozen=True):
    """A host outside the cluster and the workloads that may reach it."""

    host: str
    port: int
    protocol: str
    sources: tuple[str, ...]


class Infrastructure(Struct, frozen=True):
    """What workloads need besides the declared edges, and who may use it."""

    name: str
    namespace: str | None
    hosts: tuple[str, ...]
    ports: tuple[int, ...]
    sources: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    """Its address ranges, where it has no namespace; empty where they are not known."""


class Mesh(Struct, frozen=True):
    """Names of the mesh."""

    trust_domain: str
    data_plane: str
    istio_namespace: str


class Kafka(Struct, frozen=True):
    """Names of Kafka."""

    cluster: str
    namespace: str
    bootstrap: str


class Model(Struct, frozen=True):
    """All that is allowed in the system."""

    mesh: Mesh
    kafka: Kafka
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

    @property
    def gateway(self) -> Workload | None:
        """The ingress gateway: the workload in the control plane's own namespace that is of the mesh."""
        return next((it for it in self.workloads if it.sidecar and it.namespace == self.mesh.istio_namespace), None)

    @property
    def closed(self) -> frozenset[str]:
        """The namespaces in which nothing may talk to anything unless it is declared."""
        return frozenset(workload.namespace for workload in self.workloads) - {self.mesh.istio_namespace}

    @property
    def kafka_port(self) -> int:
        """The port of the brokers' listener for clients."""
        return int(self.kafka.bootstrap.rpartition(":")[2])


def read(text: bytes | str) -> Model:
    """Read the stack's output ``accessModel``.

    :raises VerifyError: naming the key that is missing or wrong.
    """
    try:
        model = msgspec.json.decode(text, type=Model)
    except msgspec.MsgspecError as error:
        raise VerifyError(f"access model: {error}; give the stack's output accessModel, as JSON") from error
    if model.mesh.data_plane != "sidecar":
        message = (
            f"dataPlane is {model.mesh.data_plane}: without sidecars nothing enforces the model; set it to sidecar"
        )
        raise VerifyError(message)
    return model

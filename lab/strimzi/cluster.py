"""A Kafka cluster, from its Kafka and KafkaNodePool resources."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lab.strimzi import names
from lab.strimzi.conditions import RefusedError
from lab.strimzi.mounts import ENTITY_OPERATORS
from lab.strimzi.specification import (
    Jbod,
    KafkaSpecification,
    NodesTemplate,
    PersistentStorage,
    PoolSpecification,
    Volume,
    decode,
)

Resource = Mapping[str, Any]

METADATA_VERSIONS: Final = {"4.2.0": "4.2-IV1", "4.2.1": "4.2-IV1", "4.3.0": "4.3-IV0", "4.3.1": "4.3-IV0"}
"""The releases of Kafka that Strimzi 1.2 runs, and the metadata version of each (kafka-versions.yaml)."""

_LISTENER: Final = re.compile(r"[a-z0-9]{1,11}")
_LEAST_PORT: Final = 9092
_TAKEN_PORTS: Final = (9404, 9999)
"""Ports that Strimzi keeps for metrics and JMX (ListenersValidator)."""


@dataclass(frozen=True)
class Pool:
    """A KafkaNodePool, and the ids of its nodes in ascending order."""

    name: str
    specification: PoolSpecification
    node_ids: tuple[int, ...]

    @property
    def volumes(self) -> tuple[Volume, ...]:
        """Every volume of one node."""
        storage = self.specification.storage
        return tuple(storage.volumes) if isinstance(storage, Jbod) else (storage,)

    @property
    def is_persistent(self) -> bool:
        """Whether a volume of its nodes outlives their Pods."""
        return any(isinstance(volume, PersistentStorage) for volume in self.volumes)


@dataclass(frozen=True)
class Node:
    """One Kafka process."""

    id: int
    pod: str
    pool: Pool

    @property
    def is_controller(self) -> bool:
        """Whether it is a voter of the metadata quorum."""
        return "controller" in self.pool.specification.roles

    @property
    def is_broker(self) -> bool:
        """Whether it serves clients."""
        return "broker" in self.pool.specification.roles


@dataclass(frozen=True)
class Cluster:
    """All of a cluster.

    ``cluster_id`` is Kafka's own, 16 bytes in URL-safe Base64 without padding. ``restricted`` tells whether its
    containers are made as the restricted Pod security standard asks for.
    """

    name: str
    namespace: str
    uid: str
    domain: str
    cluster_id: str
    specification: KafkaSpecification
    pools: tuple[Pool, ...]
    restricted: bool = False

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every node, by id."""
        nodes = [Node(i, names.pod(self.name, pool.name, i), pool) for pool in self.pools for i in pool.node_ids]
        return tuple(sorted(nodes, key=lambda node: node.id))

    @property
    def metadata_version(self) -> str:
        """The metadata version, such as ``4.3-IV0``: that of the nodes' version."""
        return METADATA_VERSIONS[self.specification.kafka.version]

    def template(self, pool: Pool) -> NodesTemplate:
        """Return the templates of a pool's nodes: each is the pool's own, or else the cluster's (KafkaPool)."""
        own, shared = pool.specification.template, self.specification.kafka.template
        return NodesTemplate(
            pod=own.pod or shared.pod,
            kafka_container=own.kafka_container or shared.kafka_container,
            init_container=own.init_container or shared.init_container,
            persistent_volume_claim=own.persistent_volume_claim or shared.persistent_volume_claim,
        )

    @property
    def entity_operators(self) -> tuple[str, ...]:
        """Which of ENTITY_OPERATORS the cluster has."""
        part = self.specification.entity_operator
        found = (part and part.topic_operator, part and part.user_operator)
        return tuple(name for name, has in zip(ENTITY_OPERATORS, found, strict=True) if has)

    def host(self, node: Node) -> str:
        """DNS name under which a node is reached."""
        return names.pod_host(self.name, node.pod, self.namespace)

    @property
    def owner(self) -> dict[str, Any]:
        """Reference to the Kafka, on whose deletion what refers to it goes, too."""
        return {
            "apiVersion": names.API,
            "kind": "Kafka",
            "name": self.name,
            "uid": self.uid,
            "controller": False,
            "blockOwnerDeletion": False,
        }


def cluster(kafka: Resource, pools: Sequence[Resource], domain: str, *, restricted: bool = False) -> Cluster:
    """Return the cluster that a Kafka and its KafkaNodePools ask for.

    :param domain: the Kubernetes cluster's DNS domain.
    :param restricted: whether the operator's Pod security provider is ``restricted``, and not ``baseline``.
    :raises RefusedError: if they ask for what cannot be, or what the lab does not honour.
    """
    specification = decode(kafka, KafkaSpecification)
    name = kafka["metadata"]["name"]
    _check(specification, name)
    found = sorted(pools, key=lambda pool: str(pool["metadata"]["name"]))
    specifications = {pool["metadata"]["name"]: decode(pool, PoolSpecification) for pool in found}
    _check_pools(specifications, name)
    before = {pool["metadata"]["name"]: (pool.get("status") or {}).get("nodeIds") or [] for pool in found}
    ids = node_ids({key: value.replicas for key, value in specifications.items()}, before)
    return Cluster(
        name=name,
        namespace=kafka["metadata"]["namespace"],
        uid=kafka["metadata"]["uid"],
        domain=domain,
        cluster_id=(kafka.get("status") or {}).get("clusterId") or _cluster_id(kafka["metadata"]["uid"]),
        specification=specification,
        pools=tuple(Pool(key, value, ids[key]) for key, value in specifications.items()),
        restricted=restricted,
    )


def node_ids(replicas: Mapping[str, int], before: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
    """Give every pool its nodes' ids, unique in the cluster.

    Nodes that are there keep theirs; new ones have the lowest free; of too many the highest go.
    """
    kept = {pool: sorted(before.get(pool, ()))[:count] for pool, count in replicas.items()}
    taken = {number for numbers in kept.values() for number in numbers}
    result = {}
    for pool, count in replicas.items():
        numbers = list(kept[pool])
        candidate = 0
        while len(numbers) < count:
            if candidate not in taken:
                numbers.append(candidate)
                taken.add(candidate)
            candidate += 1
        result[pool] = tuple(sorted(numbers))
    return result


def _cluster_id(uid: str) -> str:
    return base64.urlsafe_b64encode(uuid.UUID(uid).bytes).decode().rstrip("=")


def _refuse(message: str) -> RefusedError:
    return RefusedError("InvalidResourceException", message)


def _check(specification: KafkaSpecification, name: str) -> None:
    kafka = specification.kafka
    if kafka.version not in METADATA_VERSIONS:
        message = (
            f"Kafka {name}: spec.kafka.version: unsupported version {kafka.version!r}; supported are"
            f" {', '.join(METADATA_VERSIONS)}"
        )
        raise RefusedError("UnsupportedKafkaVersionException", message)
    metadata = METADATA_VERSIONS[kafka.version]
    if kafka.metadata_version not in (None, metadata, metadata.partition("-")[0]):
        message = (
            f"Kafka {name}: spec.kafka.metadataVersion: {kafka.metadata_version!r} is another than that of Kafka"
            f" {kafka.version}, which the lab does not support; leave it out"
        )
        raise _refuse(message)
    if not kafka.listeners:
        raise _refuse(f"Kafka {name}: spec.kafka.listeners is empty; at least one is required")
    for listener in kafka.listeners:
        where = f"Kafka {name}: spec.kafka.listeners: {listener.name}"
        if not _LISTENER.fullmatch(listener.name):
            raise _refuse(f"{where}: names are 1 to 11 lower-case letters and digits")
        if listener.port < _LEAST_PORT or listener.port in _TAKEN_PORTS:
            raise _refuse(f"{where}: port {listener.port} must be 9092 or higher, and not {_spoken(_TAKEN_PORTS)}")
    for field in ("name", "port"):
        values = [getattr(listener, field) for listener in kafka.listeners]
        if len(set(values)) < len(values):
            raise _refuse(f"Kafka {name}: spec.kafka.listeners: every listener needs a {field} of its own")


def _spoken(values: Iterable[object]) -> str:
    return " or ".join(map(str, values))


def _check_pools(pools: Mapping[str, PoolSpecification], name: str) -> None:
    if not pools:
        raise _refuse(f"No KafkaNodePools found for Kafka {name}; label one with {names.CLUSTER_LABEL}: {name}")
    for role in ("controller", "broker"):
        if not any(role in pool.roles and pool.replicas for pool in pools.values()):
            raise _refuse(f"Kafka {name} has no node with the role {role}; at least one is required")
    for key, pool in pools.items():
        where = f"KafkaNodePool {key}: spec.storage"
        volumes = pool.storage.volumes if isinstance(pool.storage, Jbod) else []
        ids = [volume.id for volume in volumes]
        if isinstance(pool.storage, Jbod) and (not ids or None in ids or len(set(ids)) < len(ids)):
            raise _refuse(f"{where}.volumes: every volume needs an id of its own")
        if sum(volume.kraft_metadata is not None for volume in volumes) > 1:
            raise _refuse(f"{where}.volumes: at most one may have kraftMetadata")

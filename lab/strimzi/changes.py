"""Changes to an existing cluster that would lose data, and how they are prevented.

Source: KafkaClusterCreator in strimzi/strimzi-kafka-operator. Beyond it, the lab refuses a change of the controllers,
another kind of storage, and that a pool with partitions goes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.strimzi import names
from lab.strimzi.cluster import Cluster, Pool, Resource
from lab.strimzi.conditions import Condition, RefusedError, warning

_CHECK = "ScaleDownPreventionCheck"
_DATA = "data"


@dataclass(frozen=True)
class Known:
    """A node that is there; ``volumes`` are the kinds of its volumes by name, and empty where it has no Pod now."""

    id: int
    pool: str
    roles: tuple[str, ...]
    volumes: Mapping[str, str]


def known(pools: Sequence[Resource], pods: Iterable[Resource]) -> dict[int, Known]:
    """Return the nodes that are there: as the statuses of their pools have them, or else their Pods."""
    result = {}
    for pod in pods:
        labels, annotations = pod["metadata"]["labels"], pod["metadata"]["annotations"]
        roles = {"controller": labels.get(names.CONTROLLER_LABEL), "broker": labels.get(names.BROKER_LABEL)}
        node = int(annotations[names.NODE_ANNOTATION])
        result[node] = Known(
            node,
            labels.get(names.POOL_LABEL, ""),
            tuple(role for role, has in roles.items() if has == "true"),
            _volumes(pod["spec"].get("volumes") or []),
        )
    for pool in pools:
        status = pool.get("status") or {}
        for node in status.get("nodeIds") or []:
            volumes = result[node].volumes if node in result else {}
            result[node] = Known(node, pool["metadata"]["name"], tuple(status.get("roles") or []), volumes)
    return result


def _volumes(volumes: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the kinds of a Pod's volumes that hold Kafka's data."""
    found = {it["name"]: next(kind for kind in it if kind != "name") for it in volumes}
    return {name: kind for name, kind in found.items() if name.partition("-")[0] == _DATA}


def check(wanted: Cluster, there: Mapping[int, Known]) -> None:
    """Refuse what the lab cannot do.

    :raises RefusedError: saying what to set back.
    """
    before = {node.id for node in there.values() if "controller" in node.roles}
    voters = {node.id for node in wanted.nodes if node.is_controller}
    if before and before != voters:
        message = (
            f"Kafka {wanted.name}: nodes {_listed(voters)} would be controllers instead of {_listed(before)},"
            " which the lab does not support; set roles and replicas of its KafkaNodePools back"
        )
        raise RefusedError("InvalidResourceException", message)
    for node in wanted.nodes:
        volumes = there[node.id].volumes if node.id in there else {}
        asked = _kinds(node.pool)
        if any(asked.get(name) != kind for name, kind in volumes.items()):
            message = (
                f"The desired Kafka storage configuration in the KafkaNodePool resource {wanted.namespace}/"
                f"{node.pool.name} contains changes which are not allowed; set its spec.storage back"
            )
            raise RefusedError("InvalidResourceException", message)


def _kinds(pool: Pool) -> dict[str, str]:
    kinds = {"EphemeralStorage": "emptyDir", "PersistentStorage": "persistentVolumeClaim"}
    return {
        _DATA if volume.id is None else f"{_DATA}-{volume.id}": kinds[type(volume).__name__] for volume in pool.volumes
    }


def removed(wanted: Cluster, there: Mapping[int, Known]) -> set[int]:
    """Return the brokers that would be none any more."""
    brokers = {node.id for node in wanted.nodes if node.is_broker}
    return {node.id for node in there.values() if "broker" in node.roles} - brokers


def reverted(
    pools: Sequence[Resource], gone: Iterable[int], there: Mapping[int, Known], hosted: Mapping[int, int]
) -> tuple[list[Resource], list[Condition]]:
    """Return the pools with all that is undone because brokers that would go have partitions, and warnings of it.

    :param gone: as ``removed`` returns them.
    :param hosted: how many replicas each broker has.
    :raises RefusedError: if the pool of such a broker is not there any more.
    """
    in_use = sorted(node for node in gone if hosted.get(node))
    if not in_use:
        return list(pools), []
    left = {pool["metadata"]["name"] for pool in pools}
    lost = [node for node in in_use if there[node].pool not in left]
    if lost:
        message = (
            "Following errors were found when processing the Kafka custom resource: [Cannot scale-down Kafka brokers"
            f" [{_listed(lost)}] because they have assigned partition-replicas.]"
        )
        raise RefusedError("InvalidResourceException", message)
    result, warned = [], []
    for pool in pools:
        changed, words = _reverted(pool)
        result.append(changed)
        warned += [warning(_CHECK, it) for it in words]
    return result, warned


def _reverted(pool: Resource) -> tuple[Resource, list[str]]:
    status, name = pool.get("status") or {}, pool["metadata"]["name"]
    roles, count = status.get("roles") or [], len(status.get("nodeIds") or [])
    changed, words = copy.deepcopy(dict(pool)), []
    if "broker" in roles and pool["spec"]["replicas"] < count:
        changed["spec"]["replicas"] = count
        words.append(f"Reverting scale-down of KafkaNodePool {name} by changing number of replicas to {count}")
    if "broker" in roles and "broker" not in pool["spec"]["roles"]:
        changed["spec"]["roles"] = roles
        words.append(f"Reverting role change of KafkaNodePool {name} (setting roles to [{', '.join(roles)}])")
    return changed, words


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))

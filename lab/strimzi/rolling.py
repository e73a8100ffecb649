"""The next step that brings a cluster's Pods to their specification, one at a time and without losing a record."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.strimzi import names
from lab.strimzi.cluster import Node


@dataclass(frozen=True)
class Observed:
    """A Pod as it is."""

    name: str
    node: int
    revision: str | None
    ready: bool
    ending: bool
    failed: bool
    waiting: str = ""
    """Why its container does not run, if it does not."""


@dataclass(frozen=True)
class Health:
    """A cluster as its controllers see it."""

    under_replicated: Collection[str]
    """Partitions, as ``topic-0``, that lack a replica that is in sync."""
    lagging: Collection[int]
    """Voters that lack a part of the metadata log."""
    leader: int
    """The voter that leads the metadata quorum."""
    hosted: Mapping[int, int]
    """How many replicas each broker has."""


@dataclass(frozen=True)
class Create:
    """Make Pods that are not there."""

    pods: tuple[str, ...]


@dataclass(frozen=True)
class Delete:
    """Take a Pod away; the next pass makes it again if there should be one."""

    pod: str
    why: str


@dataclass(frozen=True)
class Wait:
    """Something has to happen first."""

    why: str


@dataclass(frozen=True)
class Ask:
    """How healthy the cluster is must be known first."""


@dataclass(frozen=True)
class Done:
    """The Pods are as specified."""


Step = Create | Delete | Wait | Ask | Done


def observed(pod: Mapping[str, Any]) -> Observed:
    """Return what counts of a Pod as the API server gave it."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    ready = any(it["type"] == "Ready" and it["status"] == "True" for it in status.get("conditions") or [])
    states = [it.get("state") or {} for it in status.get("containerStatuses") or []]
    waiting = [state["waiting"] for state in states if state.get("waiting")]
    return Observed(
        name=metadata["name"],
        node=int(metadata["annotations"][names.NODE_ANNOTATION]),
        revision=metadata["annotations"].get(names.REVISION_ANNOTATION),
        ready=ready,
        ending=metadata.get("deletionTimestamp") is not None,
        failed=status.get("phase") in ("Failed", "Succeeded"),
        waiting=" ".join(filter(None, (it.get(key) for it in waiting[:1] for key in ("reason", "message")))),
    )


def next_step(
    nodes: Sequence[Node], revisions: Mapping[str, str], found: Sequence[Observed], health: Health | None
) -> Step:
    """Return the next step.

    A Pod that does not serve is replaced at once; one that serves only while all others do, every partition has all
    its replicas in sync and every voter the whole metadata log. The leader of the metadata quorum is the last.

    :param revisions: what each node's Pod should be, by its name.
    :param health: None while nobody asked for it.
    """
    pods = {pod.name: pod for pod in found}
    stale = [node for node in nodes if node.pod in pods and pods[node.pod].revision != revisions[node.pod]]
    broken = _broken(nodes, pods, {node.pod for node in stale})
    if broken:
        return broken
    wanted = {node.pod for node in nodes}
    surplus = sorted((pod for pod in found if pod.name not in wanted), key=lambda pod: pod.node)
    if not stale and not surplus:
        return Done()
    if health is None:
        return Ask()
    if health.under_replicated:
        return Wait(f"{len(health.under_replicated)} partitions to have all replicas in sync")
    if health.lagging:
        return Wait(f"voters {', '.join(map(str, sorted(health.lagging)))} to have the whole metadata log")
    if surplus:
        return _without(surplus[-1], health)
    # Brokers before controllers, so that those who decide are disturbed last, and their leader last of all.
    first = min(stale, key=lambda node: (node.id == health.leader, node.is_controller, node.id))
    return Delete(first.pod, "its specification has changed")


def _broken(nodes: Sequence[Node], pods: Mapping[str, Observed], stale: Collection[str]) -> Step | None:
    """Return the next step while not every node serves."""
    ending = [pod.name for pod in pods.values() if pod.ending]
    if ending:
        return Wait(f"{', '.join(ending)} to end")
    for pod in pods.values():
        if pod.failed:
            return Delete(pod.name, "it has ended")
    missing = tuple(node.pod for node in nodes if node.pod not in pods)
    if missing:
        return Create(missing)
    unready = [pods[node.pod] for node in nodes if not pods[node.pod].ready]
    for pod in unready:
        if pod.name in stale:
            return Delete(pod.name, "it is not ready, and its specification has changed")
    if unready:
        return Wait("; ".join(f"{pod.name} to be ready{pod.waiting and f' ({pod.waiting})'}" for pod in unready))
    return None


def _without(pod: Observed, health: Health) -> Step:
    replicas = health.hosted.get(pod.node, 0)
    if replicas:
        return Wait(f"broker {pod.node} to be rid of its {replicas} replicas; reassign them, or keep the broker")
    return Delete(pod.name, "there are fewer nodes")

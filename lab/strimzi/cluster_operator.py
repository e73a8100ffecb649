"""The cluster operator: reconciles Kafka and KafkaNodePool resources."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from lightkube import ApiError

from lab.strimzi import (
    changes,
    entity_operator,
    environment,
    mounts,
    names,
    network_policies,
    pods,
    reconciler,
    rolling,
    secret_manifests,
    services,
)
from lab.strimzi.admin import AdminError, KafkaUnavailableError
from lab.strimzi.cluster import Cluster, Resource, cluster
from lab.strimzi.cluster_admin import ClusterAdmin
from lab.strimzi.conditions import Condition, RefusedError, not_ready, ready
from lab.strimzi.environment import ClusterOperatorSettings
from lab.strimzi.kubernetes import Kubernetes, Object
from lab.strimzi.secret_manifests import Certificates
from lab.strimzi.status_warnings import warnings

Key = tuple[str, str]
"""Namespace and name of a Kafka."""

_LOG: Final = logging.getLogger(__name__)
_POLL: Final = 1.0
"""Seconds until what does not come as an event, such as replicas that are in sync again, is looked for again."""
_PATIENCE: Final = 60.0
"""Seconds of waiting for one and the same thing after which a cluster that was ready is said to be not ready."""
_PORT: Final = 8080


class ClusterOperator:
    """Brings one cluster at a time nearer to what is specified, a step a pass."""

    def __init__(self, kubernetes: Kubernetes, kafka: ClusterAdmin, settings: ClusterOperatorSettings) -> None:
        self._kubernetes = kubernetes
        self._kafka = kafka
        self._settings = settings
        self._applied: dict[tuple[str, ...], tuple[str, float]] = {}
        self._waiting: dict[Key, tuple[str, float]] = {}
        self._warned: dict[Key, set[tuple[str, str]]] = {}

    def reconcile(self, key: Key) -> float | None:
        """Take the next step for a cluster; return the seconds until the next, None if the cluster is gone.

        :raises ApiError: if the API server refuses.
        """
        namespace, name = key
        kafka = self._kubernetes.get("Kafka", name, namespace)
        if kafka is None or kafka["metadata"].get("deletionTimestamp"):
            # What was made for it refers to it, and goes with it, but for what is of no namespace.
            self._waiting.pop(key, None)
            self._warned.pop(key, None)
            self._kubernetes.delete("ClusterRoleBinding", names.rack_binding(name, namespace), None)
            return None
        try:
            return self._approach(key, kafka)
        except RefusedError as error:
            self._fail(key, kafka, not_ready(error.reason, str(error)))
            return self._settings.interval
        except ApiError as error:
            self._fail(key, kafka, not_ready("KubernetesClientException", str(error)))
            raise

    def _fail(self, key: Key, kafka: Object, condition: Condition) -> None:
        self._kubernetes.set_status(kafka, [condition])
        self._warn(key, kafka, [condition])

    def _warn(self, key: Key, kafka: Object, conditions: Sequence[Condition]) -> None:
        """Say once, in the log and by an event, what is refused or undone."""
        said = {(it["reason"], it["message"]) for it in conditions}
        for reason, message in sorted(said - self._warned.get(key, set())):
            _LOG.warning("%s: %s", kafka["metadata"]["name"], message)
            self._kubernetes.warn(kafka, reason, message)
        self._warned[key] = said

    def _approach(self, key: Key, kafka: Object) -> float:
        namespace, name = key
        found = self._kubernetes.find("KafkaNodePool", namespace, {names.CLUSTER_LABEL: name})
        pods_there = self._kubernetes.find("Pod", namespace, names.selector(name, names.brokers(name)))
        existing = {it["metadata"]["name"]: it for it in self._kubernetes.find("Secret", namespace, _all_of(name))}
        try:
            wanted, undone = self._possible(kafka, found, pods_there, existing)
        except KafkaUnavailableError as error:
            self._wait(key, kafka, str(error))
            return _POLL
        self._warn(key, kafka, undone)
        # From these the ids of nodes are known again, so that they come first.
        self._report_pools(found, wanted)
        certificates = secret_manifests.certificates(wanted, existing)
        for manifest in self._manifests(wanted, certificates):
            self._apply(manifest)
        if wanted.specification.kafka.rack is None:
            self._kubernetes.delete("ClusterRoleBinding", names.rack_binding(name, namespace), None)
        waiting = self._step(wanted, certificates, pods_there) or self._entity_operator_missing(wanted)
        if waiting:
            self._wait(key, kafka, waiting)
            return _POLL
        self._waiting.pop(key, None)
        conditions = [*undone, *warnings(wanted), ready()]
        self._kubernetes.set_status(kafka, conditions, **_status(wanted, certificates))
        return self._settings.interval

    def _possible(
        self, kafka: Object, found: list[Object], pods_there: list[Object], existing: secret_manifests.Secrets
    ) -> tuple[Cluster, list[Condition]]:
        """Return what is asked for, without what would lose data, and warnings of that.

        :raises RefusedError: if it cannot be done.
        :raises KafkaUnavailableError: if Kafka must be asked and does not answer.
        """
        wanted = self._cluster(kafka, found)
        there = changes.known(found, pods_there)
        changes.check(wanted, there)
        gone = changes.removed(wanted, there)
        if not gone:
            return wanted, []
        hosted = self._kafka.health(wanted, secret_manifests.certificates(wanted, existing)).hosted
        possible, undone = changes.reverted(found, gone, there, hosted)
        return self._cluster(kafka, possible), undone

    def _cluster(self, kafka: Object, found: Sequence[Resource]) -> Cluster:
        return cluster(kafka, found, self._settings.domain, restricted=self._settings.restricted)

    def _manifests(self, wanted: Cluster, certificates: Certificates) -> Iterator[Object]:
        yield from secret_manifests.manifests(wanted, certificates)
        yield from services.manifests(wanted)
        if self._settings.network_policies:
            yield from network_policies.manifests(wanted, self._settings.namespace)
        for node in wanted.nodes:
            yield pods.config_map(wanted, node)
        yield from entity_operator.manifests(wanted, certificates)

    def _apply(self, manifest: Object) -> None:
        """Apply what is not known to be so; what others changed is put right at the next full pass."""
        metadata = manifest["metadata"]
        key = (manifest["kind"], metadata.get("namespace", ""), metadata["name"])
        digest = sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
        before, until = self._applied.get(key, ("", 0.0))
        if before != digest or time.monotonic() > until:
            self._kubernetes.apply(manifest)
            # A little less than the interval, which the next full pass is after.
            self._applied[key] = digest, time.monotonic() + self._settings.interval / 2

    def _step(self, wanted: Cluster, certificates: Certificates, pods_there: list[Object]) -> str:
        """Take the next step with the nodes' Pods; return what is waited for, or nothing when there is none to take."""
        desired = {node.pod: pods.pod(wanted, node, certificates) for node in wanted.nodes}
        revisions = {name: pod["metadata"]["annotations"][names.REVISION_ANNOTATION] for name, pod in desired.items()}
        there = [rolling.observed(pod) for pod in pods_there]
        try:
            step = rolling.next_step(wanted.nodes, revisions, there, None)
            if isinstance(step, rolling.Ask):
                step = rolling.next_step(wanted.nodes, revisions, there, self._kafka.health(wanted, certificates))
            if isinstance(step, rolling.Done):
                self._kafka.finalize_metadata_version(wanted, certificates)
        except (KafkaUnavailableError, AdminError) as error:
            return str(error)
        match step:
            case rolling.Create(created):
                for name in created:
                    _LOG.info("%s: created", name)
                    self._kubernetes.create(desired[name])
                return f"{', '.join(created)} to be ready"
            case rolling.Delete(name, why):
                _LOG.info("%s: deleted, because %s", name, why)
                self._kubernetes.delete("Pod", name, wanted.namespace)
                return f"{name} to end"
            case rolling.Wait(why):
                return why
        return ""

    def _entity_operator_missing(self, wanted: Cluster) -> str:
        name = names.entity_operator(wanted.name)
        for part in mounts.ENTITY_OPERATORS:
            if part not in wanted.entity_operators:
                own = f"{wanted.name}-{part}"
                self._kubernetes.delete("RoleBinding", names.role_binding(own), wanted.namespace)
                self._kubernetes.delete("ConfigMap", f"{own}-config", wanted.namespace)
                secret = names.operator_certificate(wanted.name, part)
                self._kubernetes.delete("Secret", secret, wanted.namespace)
        if not wanted.entity_operators:
            for kind in ("Deployment", "PodDisruptionBudget", "Role", "ServiceAccount"):
                self._kubernetes.delete(kind, name, wanted.namespace)
            if self._settings.network_policies:
                self._kubernetes.delete("NetworkPolicy", name, wanted.namespace)
            return ""
        deployment = self._kubernetes.get("Deployment", name, wanted.namespace) or {"metadata": {}}
        status = deployment.get("status") or {}
        observed = status.get("observedGeneration") == deployment["metadata"].get("generation")
        if observed and status.get("updatedReplicas") and status.get("availableReplicas"):
            return ""
        return f"{name} to be available"

    def _wait(self, key: Key, kafka: Object, why: str) -> None:
        """Say what is waited for: at once for a new cluster, of one that was ready when it takes long."""
        before, since = self._waiting.get(key, ("", 0.0))
        if why != before:
            since = time.monotonic()
            self._waiting[key] = why, since
        conditions = (kafka.get("status") or {}).get("conditions") or []
        if all(it.get("reason") == "Creating" for it in conditions):
            message = f"Kafka cluster is being deployed; waiting for {why}"
            self._kubernetes.set_status(kafka, [not_ready("Creating", message)])
        elif time.monotonic() > since + _PATIENCE:
            message = f"Exceeded timeout of {_PATIENCE * 1000:.0f}ms while waiting for {why}"
            self._kubernetes.set_status(kafka, [not_ready("StrimziTimeoutException", message)])

    def _report_pools(self, found: list[Object], wanted: Cluster) -> None:
        resources = {resource["metadata"]["name"]: resource for resource in found}
        for pool in wanted.pools:
            # In Strimzi's order.
            selector = {
                names.CLUSTER_LABEL: wanted.name,
                "strimzi.io/name": names.brokers(wanted.name),
                "strimzi.io/kind": "Kafka",
                names.POOL_LABEL: pool.name,
            }
            self._kubernetes.set_status(
                resources[pool.name],
                [],
                nodeIds=list(pool.node_ids),
                clusterId=wanted.cluster_id,
                roles=list(pool.specification.roles),
                replicas=len(pool.node_ids),
                labelSelector=",".join(f"{key}={value}" for key, value in selector.items()),
            )


def _all_of(name: str) -> dict[str, str]:
    """Return the labels of all that belongs to a cluster."""
    return {names.CLUSTER_LABEL: name, "strimzi.io/kind": "Kafka"}


def _status(wanted: Cluster, certificates: Certificates) -> dict[str, Any]:
    host = f"{names.bootstrap_service(wanted.name)}.{wanted.namespace}.svc"
    authority = certificates.trusted.decode()
    return {
        "listeners": [
            {
                "name": it.name,
                "addresses": [{"host": host, "port": it.port}],
                "bootstrapServers": f"{host}:{it.port}",
                **({"certificates": [authority]} if it.tls else {}),
            }
            for it in wanted.specification.kafka.listeners
        ],
        "kafkaNodePools": [{"name": pool.name} for pool in wanted.pools],
        "clusterId": wanted.cluster_id,
        "kafkaVersion": wanted.specification.kafka.version,
        "kafkaMetadataVersion": wanted.metadata_version,
        "operatorLastSuccessfulVersion": names.VERSION,
    }


def _own(resource: Resource) -> list[Key]:
    return [(resource["metadata"]["namespace"], resource["metadata"]["name"])]


def _labelled(resource: Resource) -> list[Key]:
    metadata = resource["metadata"]
    return [(metadata["namespace"], metadata["labels"][names.CLUSTER_LABEL])]


def main(variables: Mapping[str, str]) -> None:
    """Run the cluster operator.

    :raises LabError: if its environment is wrong.
    """
    settings = environment.cluster_operator(variables)
    made = {names.CLUSTER_LABEL: None, "strimzi.io/kind": "Kafka"}
    watches = [
        reconciler.Watch("Kafka", {}, _own),
        reconciler.Watch("KafkaNodePool", {names.CLUSTER_LABEL: None}, _labelled),
        reconciler.Watch("Pod", made, _labelled),
        reconciler.Watch("Deployment", made, _labelled),
    ]
    kubernetes = Kubernetes(names.OPERATOR)
    cluster_operator = ClusterOperator(kubernetes, ClusterAdmin(), settings)
    reconciler.run(kubernetes, watches, cluster_operator.reconcile, settings.namespaces, _PORT)

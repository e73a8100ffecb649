"""The cluster operator: Kafka and KafkaNodePool resources into running clusters."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

from lightkube import ApiError

from lab.strimzi import configuration, entity_operator, environment, names, operator, pods, rolling, secrets, services
from lab.strimzi.admin import AdminError, KafkaUnavailableError
from lab.strimzi.cluster import Cluster, Resource, cluster
from lab.strimzi.cluster_admin import ClusterAdmin
from lab.strimzi.conditions import Condition, RefusedError, not_ready, ready, warning
from lab.strimzi.environment import ClusterOperatorSettings
from lab.strimzi.kubernetes import Kubernetes, Object
from lab.strimzi.secrets import Certificates

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

    def look(self, key: Key) -> float | None:
        """Take the next step for a cluster; return the seconds until the next, None if the cluster is gone.

        :raises ApiError: if the API server refuses.
        """
        namespace, name = key
        kafka = self._kubernetes.get("Kafka", name, namespace)
        if kafka is None or kafka["metadata"].get("deletionTimestamp"):
            # What was made for it refers to it, and goes with it.
            self._waiting.pop(key, None)
            return None
        found = self._kubernetes.find("KafkaNodePool", namespace, {names.CLUSTER_LABEL: name})
        try:
            wanted = cluster(kafka, found, self._settings.domain)
            return self._approach(key, kafka, found, wanted)
        except RefusedError as error:
            self._fail(kafka, found, not_ready(error.reason, str(error)))
            return self._settings.interval
        except ApiError as error:
            self._fail(kafka, found, not_ready("KubernetesClientException", str(error)))
            raise

    def _fail(self, kafka: Object, found: list[Object], condition: Condition) -> None:
        _LOG.warning("%s: %s", kafka["metadata"]["name"], condition["message"])
        for resource in (kafka, *found):
            self._kubernetes.set_status(resource, [condition])

    def _approach(self, key: Key, kafka: Object, found: list[Object], wanted: Cluster) -> float:
        # From these the ids of nodes are known again, so that they come first.
        self._report_pools(found, wanted)
        labels = {names.CLUSTER_LABEL: wanted.name, "strimzi.io/kind": "Kafka"}
        existing = {it["metadata"]["name"]: it for it in self._kubernetes.find("Secret", wanted.namespace, labels)}
        certificates = secrets.certificates(wanted, existing)
        for manifest in self._manifests(wanted, certificates):
            self._apply(manifest)
        waiting = self._step(wanted, certificates) or self._entity_operator_missing(wanted)
        if waiting:
            self._wait(key, kafka, waiting)
            return _POLL
        self._waiting.pop(key, None)
        self._kubernetes.set_status(kafka, _conditions(wanted), **_status(wanted, certificates))
        return self._settings.interval

    def _manifests(self, wanted: Cluster, certificates: Certificates) -> Iterator[Object]:
        yield from secrets.manifests(wanted, certificates)
        yield from services.manifests(wanted, network_policies=self._settings.network_policies)
        for node in wanted.nodes:
            yield pods.config_map(wanted, node)
        yield from entity_operator.manifests(wanted)

    def _apply(self, manifest: Object) -> None:
        """Apply what is not known to be so; what others changed is put right at the next full pass."""
        metadata = manifest["metadata"]
        key = (manifest["kind"], metadata["namespace"], metadata["name"])
        digest = sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
        before, until = self._applied.get(key, ("", 0.0))
        if before != digest or time.monotonic() > until:
            self._kubernetes.apply(manifest)
            # A little less than the interval, which the next full pass is after.
            self._applied[key] = digest, time.monotonic() + self._settings.interval / 2

    def _step(self, wanted: Cluster, certificates: Certificates) -> str:
        """Take the next step with the nodes' Pods; return what is waited for, or nothing when there is none to take."""
        desired = {node.pod: pods.pod(wanted, node, certificates.nodes[node.pod]) for node in wanted.nodes}
        revisions = {name: pod["metadata"]["annotations"][names.REVISION_ANNOTATION] for name, pod in desired.items()}
        selector = names.selector(wanted.name, names.brokers(wanted.name))
        there = [rolling.observed(pod) for pod in self._kubernetes.find("Pod", wanted.namespace, selector)]
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
        if not any(it["kind"] == "Deployment" for it in entity_operator.manifests(wanted)):
            for kind in ("Deployment", "RoleBinding", "Role", "ServiceAccount"):
                self._kubernetes.delete(kind, name, wanted.namespace)
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
            self._kubernetes.set_status(kafka, [not_ready("Creating", f"waiting for {why}")])
        elif time.monotonic() > since + _PATIENCE:
            message = f"waiting for {why} since {_PATIENCE:.0f} s"
            self._kubernetes.set_status(kafka, [not_ready("TimeoutException", message)])

    def _report_pools(self, found: list[Object], wanted: Cluster) -> None:
        resources = {resource["metadata"]["name"]: resource for resource in found}
        for pool in wanted.pools:
            selector = names.selector(wanted.name, names.brokers(wanted.name)) | {names.POOL_LABEL: pool.name}
            self._kubernetes.set_status(
                resources[pool.name],
                [ready()],
                nodeIds=list(pool.node_ids),
                clusterId=wanted.cluster_id,
                roles=list(pool.specification.roles),
                replicas=len(pool.node_ids),
                labelSelector=",".join(f"{key}={value}" for key, value in selector.items()),
            )


def _conditions(wanted: Cluster) -> list[Condition]:
    left_out = configuration.forbidden(wanted.specification.kafka.config)
    if not left_out:
        return [ready()]
    message = f"spec.kafka.config: {', '.join(left_out)} cannot be set, and is left out"
    return [warning("ForbiddenConfiguration", message), ready()]


def _status(wanted: Cluster, certificates: Certificates) -> dict[str, Any]:
    host = f"{names.bootstrap_service(wanted.name)}.{wanted.namespace}.svc"
    authority = certificates.cluster_authority.certificate.decode()
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
    group, version = names.API.split("/")
    watches = [
        operator.Watch(group, version, "kafkas", {}, _own),
        operator.Watch(group, version, "kafkanodepools", {names.CLUSTER_LABEL: None}, _labelled),
        operator.Watch("", "v1", "pods", made, _labelled),
        operator.Watch("apps", "v1", "deployments", made, _labelled),
    ]
    cluster_operator = ClusterOperator(Kubernetes(names.OPERATOR), ClusterAdmin(), settings)
    operator.run(watches, cluster_operator.look, settings.namespaces, _PORT)

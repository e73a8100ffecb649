"""The entity operator of a cluster: topic and user operator in one Pod, as Strimzi's EntityOperator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lab.strimzi import mounts, names, pods
from lab.strimzi.cluster import Cluster
from lab.strimzi.secrets import file
from lab.strimzi.services import Manifest
from lab.strimzi.specification import EnvironmentVariable, TopicOperator, UserOperator

IMAGE: Final = f"quay.io/strimzi/operator:{names.VERSION}"


def manifests(cluster: Cluster) -> Iterator[Manifest]:
    """Return what the entity operator of a cluster consists of; nothing, if none is asked for."""
    part = cluster.specification.entity_operator
    if part is None or (part.topic_operator is None and part.user_operator is None):
        return
    yield _manifest(cluster, "v1", "ServiceAccount")
    yield _manifest(cluster, "rbac.authorization.k8s.io/v1", "Role", rules=_rules())
    name = names.entity_operator(cluster.name)
    yield _manifest(
        cluster,
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        subjects=[{"kind": "ServiceAccount", "name": name, "namespace": cluster.namespace}],
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
    )
    deployment = _manifest(cluster, "apps/v1", "Deployment", spec=_deployment(cluster))
    deployment["metadata"]["labels"] |= part.template.deployment.metadata.labels
    deployment["metadata"]["annotations"] = part.template.deployment.metadata.annotations
    yield deployment


def _manifest(cluster: Cluster, api_version: str, kind: str, **content: Any) -> Manifest:
    name = names.entity_operator(cluster.name)
    metadata = {
        "name": name,
        "namespace": cluster.namespace,
        "labels": names.labels(cluster.name, name, "entity-operator"),
        "ownerReferences": [cluster.owner],
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def _rules() -> list[dict[str, Any]]:
    """Return what the operators may do in the cluster's namespace: no more than the cluster operator itself."""
    return [
        {"apiGroups": [names.GROUP], "resources": ["kafkatopics"], "verbs": ["get", "list", "watch", "patch"]},
        {"apiGroups": [names.GROUP], "resources": ["kafkausers"], "verbs": ["get", "list", "watch"]},
        {
            "apiGroups": [names.GROUP],
            "resources": ["kafkatopics/status", "kafkausers/status"],
            "verbs": ["get", "patch"],
        },
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch", "create", "patch", "delete"]},
    ]


def _deployment(cluster: Cluster) -> dict[str, Any]:
    part = cluster.specification.entity_operator
    assert part is not None
    name = names.entity_operator(cluster.name)
    selector = names.selector(cluster.name, name)
    template = part.template.pod.metadata
    containers, volumes = [], []
    parts: list[tuple[str, TopicOperator | UserOperator | None, list[EnvironmentVariable]]] = [
        ("topic-operator", part.topic_operator, part.template.topic_operator_container.env),
        ("user-operator", part.user_operator, part.template.user_operator_container.env),
    ]
    for operator, settings, env in parts:
        if settings is None:
            continue
        certificate = f"entity-{operator}"
        containers.append(_container(cluster, operator, settings, env))
        volumes.append(
            pods.certificate_volume(
                f"{operator}-certs", names.operator_certificate(cluster.name, certificate), file(certificate)
            )
        )
    return {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": selector},
        "template": {
            "metadata": {
                "labels": template.labels | names.labels(cluster.name, name, "entity-operator"),
                "annotations": template.annotations,
            },
            "spec": {
                "serviceAccountName": name,
                "terminationGracePeriodSeconds": 10,
                "securityContext": pods.pod_security(),
                "containers": containers,
                "volumes": [
                    *volumes,
                    pods.authority_volume(cluster.name),
                    {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "5Mi"}},
                ],
            },
        },
    }


def _container(
    cluster: Cluster, operator: str, settings: TopicOperator | UserOperator, env: list[EnvironmentVariable]
) -> dict[str, Any]:
    port = {"topic-operator": 8080, "user-operator": 8081}[operator]
    variables = {
        "STRIMZI_NAMESPACE": cluster.namespace,
        "STRIMZI_RESOURCE_LABELS": f"{names.CLUSTER_LABEL}={cluster.name}",
        "STRIMZI_KAFKA_BOOTSTRAP_SERVERS": f"{names.bootstrap_service(cluster.name)}:{names.REPLICATION_PORT}",
        "STRIMZI_FULL_RECONCILIATION_INTERVAL_MS": str(settings.reconciliation_interval_ms),
        "STRIMZI_HEALTH_PORT": str(port),
    }
    if isinstance(settings, UserOperator):
        variables["STRIMZI_SECRET_PREFIX"] = settings.secret_prefix
        authorized = cluster.specification.kafka.authorization is not None
        variables["STRIMZI_ACLS_ADMIN_API_SUPPORTED"] = str(authorized).lower()
    variables |= {variable.name: variable.value for variable in env}
    probe = {"httpGet": {"path": "/healthz", "port": port}, "timeoutSeconds": 5}
    return {
        "name": operator,
        "image": IMAGE,
        "args": [operator],
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "ports": [{"name": "healthcheck", "containerPort": port, "protocol": "TCP"}],
        "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 120},
        "readinessProbe": {**probe, "periodSeconds": 10},
        "livenessProbe": {**probe, "periodSeconds": 10},
        "resources": settings.resources,
        "securityContext": pods.restricted(),
        "volumeMounts": [
            {"name": f"{operator}-certs", "mountPath": str(mounts.CERTIFICATE), "readOnly": True},
            {"name": "cluster-ca", "mountPath": str(mounts.AUTHORITY), "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 the container's own
        ],
    }

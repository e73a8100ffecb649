"""The entity operator of a cluster, topic and user operator in one Pod, as Strimzi's EntityOperator creates it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lab.strimzi import names, pods, secret_manifests, security
from lab.strimzi.cluster import Cluster
from lab.strimzi.secret_manifests import Certificates
from lab.strimzi.services import RIGHTS, Manifest
from lab.strimzi.specification import ContainerTemplate, EntityOperator

IMAGE: Final = f"quay.io/strimzi/operator:{names.VERSION}"
PORTS: Final = {"entity-topic-operator": 8080, "entity-user-operator": 8081}
"""Where each answers probes."""

_SHORT: Final = {"entity-topic-operator": "to", "entity-user-operator": "uo"}
_RULES: Final[list[dict[str, Any]]] = [
    {
        "apiGroups": [names.GROUP],
        "resources": ["kafkatopics"],
        "verbs": ["get", "list", "watch", "create", "patch", "update", "delete"],
    },
    {
        "apiGroups": [names.GROUP],
        "resources": ["kafkausers"],
        "verbs": ["get", "list", "watch", "create", "patch", "update"],
    },
    {
        "apiGroups": [names.GROUP],
        "resources": ["kafkatopics/status", "kafkausers/status"],
        "verbs": ["get", "patch", "update"],
    },
    {"apiGroups": [names.GROUP], "resources": ["kafkatopics/finalizers", "kafkausers/finalizers"], "verbs": ["update"]},
    {
        "apiGroups": [""],
        "resources": ["secrets"],
        "verbs": ["get", "list", "watch", "create", "delete", "patch", "update"],
    },
]
"""What Strimzi's operators may do in the cluster's namespace: its ClusterRole ``strimzi-entity-operator``."""


def manifests(cluster: Cluster, certificates: Certificates) -> Iterator[Manifest]:
    """Return what the entity operator of a cluster consists of; nothing, if none is asked for."""
    part, operators = cluster.specification.entity_operator, cluster.entity_operators
    if part is None or not operators:
        return
    name = names.entity_operator(cluster.name)
    yield manifest(cluster, "v1", "ServiceAccount", name)
    yield manifest(cluster, f"{RIGHTS}/v1", "Role", name, rules=_RULES)
    for operator in operators:
        own = f"{cluster.name}-{operator}"
        labels = names.labels(cluster.name, own, operator)
        yield manifest(
            cluster,
            f"{RIGHTS}/v1",
            "RoleBinding",
            names.role_binding(own),
            labels,
            subjects=[{"kind": "ServiceAccount", "name": name, "namespace": cluster.namespace}],
            roleRef={"apiGroup": RIGHTS, "kind": "Role", "name": name},
        )
        yield manifest(cluster, "v1", "ConfigMap", f"{own}-config", labels, data={"log4j2.properties": _LOGGING})
    yield manifest(
        cluster,
        "policy/v1",
        "PodDisruptionBudget",
        name,
        spec={"maxUnavailable": 1, "selector": {"matchLabels": names.selector(cluster.name, name)}},
    )
    deployment = manifest(cluster, "apps/v1", "Deployment", name, spec=_deployment(cluster, part, certificates))
    deployment["metadata"]["labels"] |= part.template.deployment.metadata.labels
    deployment["metadata"]["annotations"] = part.template.deployment.metadata.annotations
    yield deployment


_LOGGING: Final = "# The lab's operators have no settings of how they log.\n"


def manifest(
    cluster: Cluster, api_version: str, kind: str, name: str, labels: dict[str, str] | None = None, **content: Any
) -> Manifest:
    """Return an object of the entity operator that goes with the Kafka.

    :param labels: by default those of the entity operator as a whole.
    """
    metadata = {
        "name": name,
        "namespace": cluster.namespace,
        "labels": labels or names.labels(cluster.name, names.entity_operator(cluster.name), "entity-operator"),
        "ownerReferences": [cluster.owner],
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def _deployment(cluster: Cluster, part: EntityOperator, certificates: Certificates) -> dict[str, Any]:
    name = names.entity_operator(cluster.name)
    template = part.template.pod
    hashes = [certificates.operators[it].certificate.decode() for it in cluster.entity_operators]
    annotations = {
        "strimzi.io/cluster-ca-cert-generation": str(certificates.authorities["cluster"].generation),
        "strimzi.io/cluster-ca-key-generation": "0",
        "strimzi.io/server-cert-hash": pods.digest(hashes),
    }
    return {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": names.selector(cluster.name, name)},
        "template": {
            "metadata": {
                "labels": template.metadata.labels | names.labels(cluster.name, name, "entity-operator"),
                "annotations": template.metadata.annotations | annotations,
            },
            "spec": {
                "serviceAccountName": name,
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": template.termination_grace_period_seconds,
                "securityContext": template.security_context or {},
                "containers": [_container(cluster, part, operator) for operator in cluster.entity_operators],
                "volumes": [
                    pods.token_volume(),
                    *(volume for operator in cluster.entity_operators for volume in _volumes(cluster, operator)),
                ],
                **pods.scheduling(template),
            },
        },
    }


def _volumes(cluster: Cluster, operator: str) -> list[dict[str, Any]]:
    return [
        pods.memory_volume(f"strimzi-{_SHORT[operator]}-tmp", "5Mi"),
        {"name": f"{operator}-metrics-and-logging", "configMap": {"name": f"{cluster.name}-{operator}-config"}},
    ]


def _container(cluster: Cluster, part: EntityOperator, operator: str) -> dict[str, Any]:
    short, name = _SHORT[operator], operator.removeprefix("entity-")
    is_topics = short == "to"
    template: ContainerTemplate = (
        part.template.topic_operator_container if is_topics else part.template.user_operator_container
    )
    settings = part.topic_operator if is_topics else part.user_operator
    assert settings is not None
    variables = _topic_variables(cluster, part) if is_topics else _user_variables(cluster, part)
    variables |= {variable.name: variable.value for variable in template.env}
    healthy, ready = (
        {"httpGet": {"path": path, "port": f"healthcheck-{short}"}, "timeoutSeconds": 5}
        for path in ("/healthy", "/ready")
    )
    return {
        "name": name,
        "image": IMAGE,
        "args": [f"/opt/strimzi/bin/{name.replace('-', '_')}_run.sh"],
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "ports": [{"name": f"healthcheck-{short}", "containerPort": PORTS[operator], "protocol": "TCP"}],
        "startupProbe": {**healthy, "periodSeconds": 1, "failureThreshold": 120},
        "readinessProbe": {**ready, "periodSeconds": 10},
        "livenessProbe": {**healthy, "periodSeconds": 10},
        "resources": settings.resources,
        "volumeMounts": [
            pods.token_mount(),
            {"name": f"strimzi-{short}-tmp", "mountPath": "/tmp"},  # noqa: S108 the container's own
            {"name": f"{operator}-metrics-and-logging", "mountPath": f"/opt/{name}/custom-config/"},
        ],
        **security.container(cluster, template),
    }


def _bootstrap(cluster: Cluster) -> str:
    return f"{names.bootstrap_service(cluster.name)}:{names.REPLICATION_PORT}"


def _topic_variables(cluster: Cluster, part: EntityOperator) -> dict[str, str]:
    operator = "entity-topic-operator"
    assert part.topic_operator is not None
    return {
        "STRIMZI_RESOURCE_LABELS": f"{names.CLUSTER_LABEL}={cluster.name}",
        "STRIMZI_KAFKA_BOOTSTRAP_SERVERS": _bootstrap(cluster),
        "STRIMZI_NAMESPACE": cluster.namespace,
        "STRIMZI_CLUSTER_NAMESPACE": cluster.namespace,
        "STRIMZI_FULL_RECONCILIATION_INTERVAL_MS": str(part.topic_operator.reconciliation_interval_ms),
        "STRIMZI_SECURITY_PROTOCOL": "SSL",
        "STRIMZI_TLS_TRUSTED_CERTS_SECRET_NAME": f"{names.authority(cluster.name, 'cluster')}-cert",
        "STRIMZI_TLS_SECRET_NAME": names.operator_certificate(cluster.name, operator),
        "STRIMZI_TLS_KEY_NAME": f"{secret_manifests.file(operator)}.key",
        "STRIMZI_TLS_CERT_NAME": f"{secret_manifests.file(operator)}.crt",
        "STRIMZI_GC_LOG_ENABLED": "false",
    }


def _user_variables(cluster: Cluster, part: EntityOperator) -> dict[str, str]:
    settings = part.user_operator
    assert settings is not None
    authorized = cluster.specification.kafka.authorization is not None
    clients = names.authority(cluster.name, "clients")
    days = cluster.specification.clients_ca
    return {
        "STRIMZI_KAFKA_BOOTSTRAP_SERVERS": _bootstrap(cluster),
        "STRIMZI_NAMESPACE": cluster.namespace,
        "STRIMZI_LABELS": f"{names.CLUSTER_LABEL}={cluster.name}",
        "STRIMZI_FULL_RECONCILIATION_INTERVAL_MS": str(settings.reconciliation_interval_ms),
        "STRIMZI_CA_KEY_NAME": clients,
        "STRIMZI_CA_CERT_NAME": f"{clients}-cert",
        "STRIMZI_CA_NAMESPACE": cluster.namespace,
        "STRIMZI_CA_VALIDITY": str(days.validity_days),
        "STRIMZI_CA_RENEWAL": str(days.renewal_days),
        "STRIMZI_CLUSTER_CA_CERT_SECRET_NAME": f"{names.authority(cluster.name, 'cluster')}-cert",
        "STRIMZI_EO_KEY_SECRET_NAME": names.operator_certificate(cluster.name, "entity-user-operator"),
        "STRIMZI_GC_LOG_ENABLED": "false",
        "STRIMZI_SECRET_PREFIX": settings.secret_prefix,
        "STRIMZI_ACLS_ADMIN_API_SUPPORTED": str(authorized).lower(),
        "STRIMZI_PKCS12_KEYSTORE_GENERATION": "true",
    }

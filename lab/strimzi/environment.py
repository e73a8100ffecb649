"""The environment of an operator's container, in Strimzi's variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.errors import LabError


@dataclass(frozen=True)
class ClusterOperatorSettings:
    """What the cluster operator is told: namespaces (``*``: all), seconds between full passes, the DNS domain."""

    namespaces: tuple[str, ...]
    interval: float
    domain: str
    network_policies: bool


@dataclass(frozen=True)
class EntityOperatorSettings:
    """What topic and user operator are told; ``cluster`` is the one whose topics and users they see to."""

    namespace: str
    cluster: str
    bootstrap: str
    interval: float
    port: int
    finalizers: bool
    acls: bool
    secret_prefix: str


def cluster_operator(environment: Mapping[str, str]) -> ClusterOperatorSettings:
    """Read the cluster operator's environment.

    :raises LabError: naming the variable that is missing or wrong.
    """
    return ClusterOperatorSettings(
        namespaces=tuple(filter(None, (it.strip() for it in _required(environment, "STRIMZI_NAMESPACE").split(",")))),
        interval=_seconds(environment),
        domain=environment.get("KUBERNETES_SERVICE_DNS_DOMAIN", "cluster.local"),
        network_policies=_flag(environment, "STRIMZI_NETWORK_POLICY_GENERATION"),
    )


def entity_operator(environment: Mapping[str, str]) -> EntityOperatorSettings:
    """Read the environment of topic or user operator.

    :raises LabError: naming the variable that is missing or wrong.
    """
    labels = _required(environment, "STRIMZI_RESOURCE_LABELS")
    key, _, cluster = labels.partition("=")
    if key != "strimzi.io/cluster" or not cluster:
        message = f"STRIMZI_RESOURCE_LABELS={labels}: must be strimzi.io/cluster=NAME; set it to the Kafka's name"
        raise LabError(message)
    return EntityOperatorSettings(
        namespace=_required(environment, "STRIMZI_NAMESPACE"),
        cluster=cluster,
        bootstrap=_required(environment, "STRIMZI_KAFKA_BOOTSTRAP_SERVERS"),
        interval=_seconds(environment),
        port=_number(environment, "STRIMZI_HEALTH_PORT", 8080),
        finalizers=_flag(environment, "STRIMZI_USE_FINALIZERS"),
        acls=_flag(environment, "STRIMZI_ACLS_ADMIN_API_SUPPORTED"),
        secret_prefix=environment.get("STRIMZI_SECRET_PREFIX", ""),
    )


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        message = f"{name} is not set; the operator's Deployment must set it"
        raise LabError(message)
    return value


def _flag(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name, "true")
    if value not in ("true", "false"):
        message = f"{name}={value}: must be true or false; correct it in the operator's Deployment"
        raise LabError(message)
    return value == "true"


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name, str(default))
    if not value.isdecimal() or int(value) == 0:
        message = f"{name}={value}: must be a whole number above 0; correct it in the operator's Deployment"
        raise LabError(message)
    return int(value)


def _seconds(environment: Mapping[str, str]) -> float:
    return _number(environment, "STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", 120_000) / 1000

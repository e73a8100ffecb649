"""The environment of an operator's container, with Strimzi's variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.errors import LabError
from lab.strimzi import security


@dataclass(frozen=True)
class ClusterOperatorSettings:
    """What the cluster operator is told: namespaces (``*``: all), seconds between full passes, the DNS domain.

    ``namespace`` is its own; ``restricted`` is its Pod security provider.
    """

    namespaces: tuple[str, ...]
    namespace: str
    interval: float
    domain: str
    network_policies: bool
    restricted: bool


@dataclass(frozen=True)
class EntityOperatorSettings:
    """What topic and user operator are told; ``cluster`` is the one whose topics and users they see to.

    ``identity`` is the Secret with their certificate, and ``trusted`` that with the one of the cluster's authority.
    """

    namespace: str
    cluster: str
    bootstrap: str
    identity: str
    trusted: str
    interval: float
    finalizers: bool
    acls: bool
    secret_prefix: str


def cluster_operator(environment: Mapping[str, str]) -> ClusterOperatorSettings:
    """Read the cluster operator's environment.

    :raises LabError: naming the variable that is missing or wrong.
    """
    return ClusterOperatorSettings(
        namespace=_required(environment, "STRIMZI_OPERATOR_NAMESPACE"),
        namespaces=tuple(filter(None, (it.strip() for it in _required(environment, "STRIMZI_NAMESPACE").split(",")))),
        interval=_seconds(environment),
        domain=environment.get("KUBERNETES_SERVICE_DNS_DOMAIN", "cluster.local"),
        network_policies=_flag(environment, "STRIMZI_NETWORK_POLICY_GENERATION"),
        restricted=_restricted(environment),
    )


def topic_operator(environment: Mapping[str, str]) -> EntityOperatorSettings:
    """Read the topic operator's environment.

    :raises LabError: naming the variable that is missing or wrong.
    """
    return _entity_operator(
        environment, "STRIMZI_RESOURCE_LABELS", "STRIMZI_TLS_SECRET_NAME", "STRIMZI_TLS_TRUSTED_CERTS_SECRET_NAME"
    )


def user_operator(environment: Mapping[str, str]) -> EntityOperatorSettings:
    """Read the user operator's environment.

    :raises LabError: naming the variable that is missing or wrong.
    """
    return _entity_operator(
        environment, "STRIMZI_LABELS", "STRIMZI_EO_KEY_SECRET_NAME", "STRIMZI_CLUSTER_CA_CERT_SECRET_NAME"
    )


def _entity_operator(
    environment: Mapping[str, str], labels: str, identity: str, trusted: str
) -> EntityOperatorSettings:
    """Read what both are told; the two have other names for some of it."""
    label = _required(environment, labels)
    key, _, cluster = label.partition("=")
    if key != "strimzi.io/cluster" or not cluster:
        message = f"{labels}={label}: must be strimzi.io/cluster=NAME; set it to the Kafka's name"
        raise LabError(message)
    return EntityOperatorSettings(
        namespace=_required(environment, "STRIMZI_NAMESPACE"),
        cluster=cluster,
        bootstrap=_required(environment, "STRIMZI_KAFKA_BOOTSTRAP_SERVERS"),
        identity=_required(environment, identity),
        trusted=_required(environment, trusted),
        interval=_seconds(environment),
        finalizers=_flag(environment, "STRIMZI_USE_FINALIZERS"),
        acls=_flag(environment, "STRIMZI_ACLS_ADMIN_API_SUPPORTED"),
        secret_prefix=environment.get("STRIMZI_SECRET_PREFIX", ""),
    )


def _restricted(environment: Mapping[str, str]) -> bool:
    name = "STRIMZI_POD_SECURITY_PROVIDER_CLASS"
    value = environment.get(name, "baseline")
    if value not in security.RESTRICTED:
        message = f"{name}={value}: must be baseline or restricted; correct it in the operator's Deployment"
        raise LabError(message)
    return security.RESTRICTED[value]


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

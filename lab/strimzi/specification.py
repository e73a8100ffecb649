"""The fields of Strimzi's custom resources that the lab supports.

Every class is one object of the specification; whatever a resource holds besides is refused by its path, so that
nothing that a user asked for is silently left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeVar

import msgspec

from lab.strimzi.conditions import RefusedError


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A part of a specification."""


class Metadata(_Part, frozen=True):
    """Labels and annotations that a template adds."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class ObjectTemplate(_Part, frozen=True):
    """A template of an object, of which the metadata alone can be set."""

    metadata: Metadata = Metadata()


class EnvironmentVariable(_Part, frozen=True):
    """A variable of a container."""

    name: str
    value: str


class ContainerTemplate(_Part, frozen=True):
    """A template of a container."""

    env: list[EnvironmentVariable] = []
    security_context: dict[str, Any] | None = None


class PodTemplate(_Part, frozen=True):
    """A template of Pods; what it says of scheduling and security is put into the Pods as it is."""

    metadata: Metadata = Metadata()
    security_context: dict[str, Any] | None = None
    termination_grace_period_seconds: int = 30
    affinity: dict[str, Any] = {}
    tolerations: list[dict[str, Any]] = []
    topology_spread_constraints: list[dict[str, Any]] = []
    priority_class_name: str | None = None


class Authentication(_Part, frozen=True):
    """How clients of a listener log in."""

    type: Literal["scram-sha-512"]


class Listener(_Part, frozen=True):
    """A port for clients."""

    name: str
    port: int
    type: Literal["internal"]
    tls: bool
    authentication: Authentication | None = None
    network_policy_peers: list[dict[str, Any]] | None = None

    @property
    def identifier(self) -> str:
        """Its name in the broker's configuration."""
        return f"{self.name}-{self.port}".upper()


class Authorization(_Part, frozen=True):
    """Kafka's own ACLs."""

    type: Literal["simple"]
    super_users: list[str] = []


class JvmOptions(_Part, frozen=True):
    """Memory of the Java process."""

    xms: str | None = msgspec.field(default=None, name="-Xms")
    xmx: str | None = msgspec.field(default=None, name="-Xmx")


class Rack(_Part, frozen=True):
    """Where a broker's rack is read: from a label of its Kubernetes node."""

    topology_key: str
    type: Literal["topology-label"] = "topology-label"


class MetricsValues(_Part, frozen=True):
    """Which metrics are served, as regular expressions of their names in Prometheus."""

    allow_list: list[str]


class MetricsConfig(_Part, frozen=True):
    """Metrics for Prometheus, served by each node itself."""

    type: Literal["strimziMetricsReporter"]
    values: MetricsValues


class CertificateAuthority(_Part, frozen=True):
    """For how many days certificates are good, and how many days before their end they are made anew."""

    validity_days: int = 365
    renewal_days: int = 30


class NodesTemplate(_Part, frozen=True):
    """Templates of what stands for nodes, of a cluster or of a pool, whose own are used instead of the cluster's."""

    pod: PodTemplate | None = None
    kafka_container: ContainerTemplate | None = None
    init_container: ContainerTemplate | None = None
    persistent_volume_claim: ObjectTemplate | None = None


class KafkaTemplate(NodesTemplate, frozen=True):
    """Templates of what stands for a cluster."""

    bootstrap_service: ObjectTemplate = ObjectTemplate()
    brokers_service: ObjectTemplate = ObjectTemplate()


class KafkaPart(_Part, frozen=True):
    """What all nodes share."""

    listeners: list[Listener]
    version: str = "4.3.1"
    metadata_version: str | None = None
    config: dict[str, str | int | float | bool] = {}
    authorization: Authorization | None = None
    jvm_options: JvmOptions = JvmOptions()
    rack: Rack | None = None
    metrics_config: MetricsConfig | None = None
    template: KafkaTemplate = KafkaTemplate()


class TopicOperator(_Part, frozen=True):
    """What makes topics."""

    reconciliation_interval_ms: int = 120_000
    resources: dict[str, Any] = {}


class UserOperator(_Part, frozen=True):
    """What makes users."""

    reconciliation_interval_ms: int = 120_000
    secret_prefix: str = ""
    resources: dict[str, Any] = {}


class EntityOperatorTemplate(_Part, frozen=True):
    """Templates of what stands for topic and user operator."""

    deployment: ObjectTemplate = ObjectTemplate()
    pod: PodTemplate = PodTemplate()
    topic_operator_container: ContainerTemplate = ContainerTemplate()
    user_operator_container: ContainerTemplate = ContainerTemplate()


class EntityOperator(_Part, frozen=True):
    """Topic and user operator."""

    topic_operator: TopicOperator | None = None
    user_operator: UserOperator | None = None
    template: EntityOperatorTemplate = EntityOperatorTemplate()


class KafkaSpecification(_Part, frozen=True):
    """``spec`` of a Kafka."""

    kafka: KafkaPart
    entity_operator: EntityOperator | None = None
    cluster_ca: CertificateAuthority = CertificateAuthority()
    clients_ca: CertificateAuthority = CertificateAuthority()


class EphemeralStorage(_Part, frozen=True, tag="ephemeral", tag_field="type"):
    """Storage that ends with its Pod."""

    size_limit: str | None = None
    id: int | None = None
    kraft_metadata: Literal["shared"] | None = None


class PersistentStorage(_Part, frozen=True, tag="persistent-claim", tag_field="type"):
    """Storage that outlives its Pod."""

    size: str
    delete_claim: bool = False
    class_: str | None = msgspec.field(default=None, name="class")
    id: int | None = None
    kraft_metadata: Literal["shared"] | None = None


Volume = EphemeralStorage | PersistentStorage


class Jbod(_Part, frozen=True, tag="jbod", tag_field="type"):
    """Several volumes."""

    volumes: list[Volume]


class PoolSpecification(_Part, frozen=True):
    """``spec`` of a KafkaNodePool."""

    replicas: int
    roles: list[Literal["controller", "broker"]]
    storage: Volume | Jbod
    resources: dict[str, Any] = {}
    jvm_options: JvmOptions | None = None
    template: NodesTemplate = NodesTemplate()


class TopicSpecification(_Part, frozen=True):
    """``spec`` of a KafkaTopic."""

    topic_name: str | None = None
    partitions: int | None = None
    replicas: int | None = None
    config: dict[str, str | int | float | bool | list[str]] = {}


class SecretKey(_Part, frozen=True):
    """A key of a Secret in the same namespace."""

    name: str
    key: str


class PasswordSource(_Part, frozen=True):
    """Where a password comes from."""

    secret_key_ref: SecretKey


class Password(_Part, frozen=True):
    """A password that somebody else made."""

    value_from: PasswordSource


class UserAuthentication(_Part, frozen=True):
    """How a user logs in."""

    type: Literal["scram-sha-512"]
    password: Password | None = None


class AclResource(_Part, frozen=True):
    """What an ACL is about; ``name`` has no meaning for the cluster."""

    type: Literal["topic", "group", "cluster", "transactionalId"]
    name: str | None = None
    pattern_type: Literal["literal", "prefix"] = "literal"


Operation = Literal[
    "All", "Read", "Write", "Create", "Delete", "Alter", "Describe", "ClusterAction", "AlterConfigs", "DescribeConfigs",
    "IdempotentWrite",
]  # fmt: skip


class AclRule(_Part, frozen=True):
    """What a user may or may not do."""

    resource: AclResource
    operations: list[Operation]
    type: Literal["allow", "deny"] = "allow"
    host: str = "*"


class UserAuthorization(_Part, frozen=True):
    """All that a user may do."""

    type: Literal["simple"]
    acls: list[AclRule]


class Quotas(_Part, frozen=True):
    """Bounds of a user's use of each broker: bytes a second, percent of a thread, partition changes a second."""

    producer_byte_rate: int | None = None
    consumer_byte_rate: int | None = None
    request_percentage: int | None = None
    controller_mutation_rate: float | None = None


class UserTemplate(_Part, frozen=True):
    """Template of the user's Secret."""

    secret: ObjectTemplate = ObjectTemplate()


class UserSpecification(_Part, frozen=True):
    """``spec`` of a KafkaUser."""

    authentication: UserAuthentication | None = None
    authorization: UserAuthorization | None = None
    quotas: Quotas | None = None
    template: UserTemplate = UserTemplate()


Specification = TypeVar("Specification", KafkaSpecification, PoolSpecification, TopicSpecification, UserSpecification)

_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<field>[^`]+)`(?: - at `(?P<path>[^`]+)`)?")
_FAULT: Final = re.compile(r"(?P<fault>.+) - at `(?P<path>[^`]+)`")


def decode(resource: Mapping[str, Any], kind: type[Specification]) -> Specification:
    """Return a resource's ``spec``.

    :raises RefusedError: naming the first field that the lab does not honour, or whose value it does not.
    """
    try:
        return msgspec.convert(resource.get("spec") or {}, kind)
    except msgspec.ValidationError as error:
        name = f"{resource['kind']} {resource['metadata']['name']}"
        raise RefusedError("InvalidResourceException", f"{name}: {_explained(str(error))}") from error


def _explained(message: str) -> str:
    unknown = _UNKNOWN.fullmatch(message)
    if unknown:
        path = (unknown["path"] or "$").replace("$", "spec", 1)
        return f"{path}.{unknown['field']} is not supported by the lab; leave it out"
    fault = _FAULT.fullmatch(message)
    if fault:
        return f"{fault['path'].replace('$', 'spec', 1)}: {fault['fault']}, which the lab does not support"
    return f"spec: {message}"

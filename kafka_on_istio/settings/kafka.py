"""Settings of the Strimzi operator, the Kafka cluster, its topics and its users."""

from enum import Enum
from typing import Annotated, Final

from pydantic import Field

from kafka_on_istio.settings.mesh import Chart
from kafka_on_istio.settings.values import (
    ClusterName,
    Count,
    Factor,
    KafkaVersion,
    Label,
    Model,
    OptionalLabel,
    PoolName,
    Positive,
    Quantity,
    Replicas,
    WatchedNamespace,
    setting,
)

MAX_MESSAGE_BYTES: Final = 262_144
"""Size limit of a decompressed batch of records."""


class KafkaData(str, Enum):
    """What happens to Kafka's data when the stack is destroyed."""

    DISPOSABLE = "disposable"
    PROTECTED = "protected"


class Role(str, Enum):
    """What a Kafka node does in KRaft."""

    CONTROLLER = "controller"
    BROKER = "broker"


class StorageType(str, Enum):
    """Where a Kafka node keeps its data."""

    EPHEMERAL = "ephemeral"
    PERSISTENT = "persistent-claim"


class Storage(Model):
    """Where the nodes of a pool keep their data."""

    type: StorageType
    size: Quantity | None = None
    class_: Annotated[str | None, Field(alias="class")] = None
    delete_claim: bool | None = None


class Resources(Model):
    """Requests and limits of a container."""

    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}


class NodePool(Model):
    """Kafka nodes with the same roles, storage and resources."""

    name: PoolName
    roles: Annotated[list[Role], Field(min_length=1)]
    replicas: Replicas
    storage: Storage
    resources: Resources | None = None


class KafkaSettings(Model):
    """The Strimzi operator, the Kafka cluster, its topics and its users."""

    strimzi_namespace: OptionalLabel = setting(
        default="",
        description="Namespace of the Strimzi operator. If empty, it is Kafka's. Layers other than `all` require one.",
    )
    strimzi_chart: Chart = setting(
        default={"chart": "oci://quay.io/strimzi-helm/strimzi-kafka-operator", "version": "1.2.0"},
        description="Chart of the Strimzi operator, `{chart, repository, version}`; `chart` is a name, an OCI "
        "reference or a local path.",
    )
    strimzi_watch_namespaces: list[WatchedNamespace] = setting(
        default=[],
        description='Namespaces that the Strimzi operator watches besides its own, which must exist; `["*"]` '
        "watches all.",
    )
    kafka_namespace: Label = setting(
        default="kafka",
        description="Namespace of the Kafka cluster, its topics and its users.",
    )
    kafka_cluster: ClusterName = setting(
        default="demo-app-log-cluster",
        description="Name of the Kafka cluster.",
    )
    kafka_version: KafkaVersion = setting(
        default="4.3.1",
        description="Version of Apache Kafka; the Strimzi release must support it.",
    )
    kafka_node_pools: Annotated[list[NodePool], Field(min_length=1)] = setting(
        default=[
            {
                "name": "combined",
                "roles": ["controller", "broker"],
                "replicas": 1,
                "storage": {"type": "persistent-claim", "size": "10Gi", "deleteClaim": False},
            }
        ],
        description="Node pools, each `{name, roles [controller, broker], replicas, storage {type ephemeral | "
        "persistent-claim, size, class, deleteClaim}, resources}`.",
    )
    kafka_config: dict[str, str | int | bool] = setting(
        default={},
        description="Broker settings that override the program's own. `compression.type` and `message.max.bytes` "
        "then also apply to the topics, whose defaults are `uncompressed` and 262144: without these limits a "
        "writer can exhaust a consumer's memory.",
    )
    kafka_data: KafkaData = setting(
        default=KafkaData.DISPOSABLE,
        description="`disposable` data is deleted with the stack. `protected` data is not: an update or destroy "
        "that would delete it is refused, and after `pulumi state unprotect` it still leaves the namespace, the "
        "cluster, the topics, the volumes, and Strimzi with its CRDs.",
    )
    replication_factor: Factor = setting(
        default=0,
        description="Replicas of every partition; 0 means one per broker, at most 3.",
    )
    topic_partitions: Count = setting(
        default=10,
        description="Partitions of every topic.",
    )
    topic_retention_ms: Positive = setting(
        default=604_800_000,
        description="How long topics keep records, in milliseconds.",
    )
    topic_segment_bytes: Positive = setting(
        default=1_073_741_824,
        description="Size of a topic's segment files, in bytes.",
    )
    password_rotation: Positive = setting(
        default=1,
        description="Increase by one to rotate every Kafka user's password.",
    )
    user_password_rotation: dict[str, Positive] = setting(
        default={},
        description="Increase by one to rotate the password of one Kafka user, by user: `customer-writer: 2`.",
    )

    @property
    def brokers(self) -> int:
        """Number of brokers in the cluster."""
        return sum(pool.replicas for pool in self.kafka_node_pools if Role.BROKER in pool.roles)

    @property
    def replicas(self) -> int:
        """Replicas of every partition."""
        return self.replication_factor or min(3, self.brokers)

    @property
    def min_insync_replicas(self) -> int:
        """Replicas that must have a record before it is acknowledged: with three, one may be down."""
        return max(1, self.replicas - 1)

    @property
    def topic_config(self) -> dict[str, str | int | bool]:
        """Configuration of every topic.

        Brokers decompress what they receive and refuse batches that are too large; a consumer keeps several in memory.
        """
        return {
            "retention.ms": self.topic_retention_ms,
            "segment.bytes": self.topic_segment_bytes,
            "compression.type": self.kafka_config.get("compression.type", "uncompressed"),
            "max.message.bytes": self.kafka_config.get("message.max.bytes", MAX_MESSAGE_BYTES),
        }

    @property
    def keeps_data(self) -> bool:
        """Whether Kafka's data is protected, and retained on destroy."""
        return self.kafka_data is KafkaData.PROTECTED

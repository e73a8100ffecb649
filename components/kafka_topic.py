"""A Kafka topic."""

from typing import Any, NotRequired, Self, TypedDict

import pulumi

from kafka_on_istio.settings.settings import Settings

from .manifest import available, custom_resource, merged, present, timeouts
from .validation import check, exclusive


class KafkaTopicArgs(TypedDict):
    """Arguments of a KafkaTopic."""

    namespace: pulumi.Input[str]
    """Namespace of the cluster."""
    cluster_name: pulumi.Input[str]
    """Name of the cluster."""
    topic_name: pulumi.Input[str]
    """Name of the topic and of the KafkaTopic: lower-case letters, digits, ``-`` and ``.``."""
    partitions: NotRequired[pulumi.Input[int]]
    """Number of partitions; the brokers' default if not set."""
    replicas: NotRequired[pulumi.Input[int]]
    """Replicas of each partition; the brokers' default if not set."""
    config: NotRequired[pulumi.Input[dict[str, Any]]]
    """Configuration of the topic, such as ``retention.ms``."""
    labels: NotRequired[pulumi.Input[dict[str, str]]]
    """Additional labels of the KafkaTopic."""
    annotations: NotRequired[pulumi.Input[dict[str, str]]]
    """Annotations of the KafkaTopic."""
    spec: NotRequired[pulumi.Input[dict[str, Any]]]
    """Complete spec of an existing KafkaTopic, in place of ``partitions``, ``replicas`` and ``config``."""
    wait: NotRequired[bool]
    """Whether to wait until the topic is ready; true by default."""
    timeout: NotRequired[str]
    """How long to wait for it, as a Go duration; ``5m`` by default."""


class KafkaTopic(pulumi.ComponentResource):
    """A topic that Strimzi's topic operator manages."""

    topic_name: pulumi.Output[str]
    """Name of the topic."""

    def __init__(self, name: str, args: KafkaTopicArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        faults = exclusive(args, "spec", ("partitions", "replicas", "config"))
        check(f"KafkaTopic {name}", args, KafkaTopicArgs, faults)
        super().__init__("kafka-on-istio:index:KafkaTopic", name, dict(args), opts)
        resource = custom_resource(
            f"{name}-topic",
            {
                "apiVersion": "kafka.strimzi.io/v1",
                "kind": "KafkaTopic",
                "metadata": present(
                    {
                        "name": args["topic_name"],
                        "namespace": args["namespace"],
                        "labels": merged(args.get("labels"), {"strimzi.io/cluster": args["cluster_name"]}),
                        "annotations": args.get("annotations"),
                    }
                ),
                "spec": args.get("spec")
                or present(
                    {
                        "topicName": args["topic_name"],
                        "partitions": args.get("partitions"),
                        "replicas": args.get("replicas"),
                        "config": args.get("config"),
                    }
                ),
            },
            wait=args.get("wait", True),
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=timeouts(args.get("timeout"))),
        )
        self.topic_name = available(args["topic_name"], resource)
        self.register_outputs({"topicName": self.topic_name})

    @classmethod
    def from_settings(cls, settings: Settings, topic: str, opts: pulumi.ResourceOptions) -> Self:
        """Create one of the declared topics."""
        return cls(
            topic,
            {
                "namespace": settings.kafka_namespace,
                "cluster_name": settings.kafka_cluster,
                "topic_name": topic,
                "partitions": settings.topic_partitions,
                "replicas": settings.replicas,
                "config": settings.topic_config,
                "wait": settings.wait_for_ready,
                "timeout": settings.timeouts.custom_resource,
            },
            opts,
        )

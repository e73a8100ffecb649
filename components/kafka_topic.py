"""A Kafka topic."""

from typing import Any, NotRequired, TypedDict

import pulumi

from components.manifest import custom_resource, timeouts


class KafkaTopicArgs(TypedDict):
    """What a KafkaTopic needs."""

    namespace: pulumi.Input[str]
    """Namespace of the cluster."""
    cluster_name: pulumi.Input[str]
    """Name of the cluster."""
    topic_name: pulumi.Input[str]
    """Name of the topic."""
    spec: pulumi.Input[dict[str, Any]]
    """Specification of the KafkaTopic."""
    wait: NotRequired[bool]
    """Whether to wait until the topic is ready; true by default."""
    timeout: NotRequired[str]
    """How long to wait for it, as a Go duration; ``5m`` by default."""


class KafkaTopic(pulumi.ComponentResource):
    """A topic, made by Strimzi's topic operator."""

    topic_name: pulumi.Output[str]
    """Name of the topic."""

    def __init__(self, name: str, args: KafkaTopicArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kafka-on-istio:index:KafkaTopic", name, dict(args), opts)
        custom_resource(
            f"{name}-topic",
            {
                "apiVersion": "kafka.strimzi.io/v1",
                "kind": "KafkaTopic",
                "metadata": {
                    "name": args["topic_name"],
                    "namespace": args["namespace"],
                    "labels": {"strimzi.io/cluster": args["cluster_name"]},
                },
                "spec": args["spec"],
            },
            wait=args.get("wait", True),
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=timeouts(args.get("timeout"))),
        )
        self.topic_name = pulumi.Output.from_input(args["topic_name"])
        self.register_outputs({"topicName": self.topic_name})

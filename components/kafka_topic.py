"""A Kafka topic."""

from typing import Any, NotRequired, TypedDict

import pulumi

from components.manifest import custom_resource, made, merged, present, timeouts


class KafkaTopicArgs(TypedDict):
    """What a KafkaTopic needs."""

    namespace: pulumi.Input[str]
    """Namespace of the cluster."""
    cluster_name: pulumi.Input[str]
    """Name of the cluster."""
    topic_name: pulumi.Input[str]
    """Name of the topic, which is that of the KafkaTopic too: lower case letters, digits, ``-`` and ``.``."""
    labels: NotRequired[pulumi.Input[dict[str, str]]]
    """Further labels of the KafkaTopic."""
    annotations: NotRequired[pulumi.Input[dict[str, str]]]
    """Annotations of the KafkaTopic."""
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
                "spec": args["spec"],
            },
            wait=args.get("wait", True),
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=timeouts(args.get("timeout"))),
        )
        self.topic_name = made(args["topic_name"], resource)
        self.register_outputs({"topicName": self.topic_name})

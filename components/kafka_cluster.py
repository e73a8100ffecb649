"""A Kafka cluster, run by Strimzi."""

from typing import Any, TypedDict

import pulumi

from components.manifest import custom_resource, timeouts


class NodePoolArgs(TypedDict):
    """Nodes of a cluster that are alike."""

    name: str
    """Name of the pool."""
    spec: pulumi.Input[dict[str, Any]]
    """Specification of the KafkaNodePool."""


class KafkaClusterArgs(TypedDict):
    """What a KafkaCluster needs."""

    namespace: pulumi.Input[str]
    """Namespace of the cluster."""
    cluster_name: pulumi.Input[str]
    """Name of the Kafka resource."""
    spec: pulumi.Input[dict[str, Any]]
    """Specification of the Kafka resource."""
    node_pools: list[NodePoolArgs]
    """The cluster's nodes; there must be controllers and brokers among them."""
    bootstrap_address: pulumi.Input[str]
    """Host and port that clients start from."""
    broker_principal: pulumi.Input[str]
    """Identity of the brokers in the mesh."""
    entity_operator_principal: pulumi.Input[str]
    """Identity of the entity operator in the mesh."""
    wait: bool
    """Whether to wait until the cluster is ready."""
    timeout: str
    """How long to wait for it, as a Go duration."""


class KafkaCluster(pulumi.ComponentResource):
    """A Kafka resource with its node pools."""

    namespace: pulumi.Output[str]
    """Namespace of the cluster."""
    cluster_name: pulumi.Output[str]
    """Name of the Kafka resource."""
    bootstrap_address: pulumi.Output[str]
    """Host and port that clients start from."""
    broker_principal: pulumi.Output[str]
    """Identity of the brokers in the mesh."""
    entity_operator_principal: pulumi.Output[str]
    """Identity of the entity operator in the mesh."""

    def __init__(self, name: str, args: KafkaClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kafka-on-istio:index:KafkaCluster", name, dict(args), opts)
        pools = [
            custom_resource(
                f"{name}-pool-{pool['name']}",
                {
                    "apiVersion": "kafka.strimzi.io/v1",
                    "kind": "KafkaNodePool",
                    "metadata": {
                        "name": pool["name"],
                        "namespace": args["namespace"],
                        "labels": {"strimzi.io/cluster": args["cluster_name"]},
                    },
                    "spec": pool["spec"],
                },
                opts=pulumi.ResourceOptions(parent=self),
            )
            for pool in args["node_pools"]
        ]
        custom_resource(
            f"{name}-kafka",
            {
                "apiVersion": "kafka.strimzi.io/v1",
                "kind": "Kafka",
                "metadata": {"name": args["cluster_name"], "namespace": args["namespace"]},
                "spec": args["spec"],
            },
            wait=args["wait"],
            opts=pulumi.ResourceOptions(parent=self, depends_on=pools, custom_timeouts=timeouts(args["timeout"])),
        )

        self.namespace = pulumi.Output.from_input(args["namespace"])
        self.cluster_name = pulumi.Output.from_input(args["cluster_name"])
        self.bootstrap_address = pulumi.Output.from_input(args["bootstrap_address"])
        self.broker_principal = pulumi.Output.from_input(args["broker_principal"])
        self.entity_operator_principal = pulumi.Output.from_input(args["entity_operator_principal"])
        self.register_outputs(
            {
                "namespace": self.namespace,
                "clusterName": self.cluster_name,
                "bootstrapAddress": self.bootstrap_address,
                "brokerPrincipal": self.broker_principal,
                "entityOperatorPrincipal": self.entity_operator_principal,
            }
        )

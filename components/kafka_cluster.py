"""A Kafka cluster, run by Strimzi."""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from components.manifest import custom_resource, made, merged, present, timeouts
from model import names


class NodePoolArgs(TypedDict):
    """Nodes of a cluster that are alike."""

    name: str
    """Name of the pool."""
    labels: NotRequired[pulumi.Input[dict[str, str]]]
    """Further labels of the KafkaNodePool."""
    annotations: NotRequired[pulumi.Input[dict[str, str]]]
    """Annotations of the KafkaNodePool."""
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
    labels: NotRequired[pulumi.Input[dict[str, str]]]
    """Labels of the Kafka resource."""
    annotations: NotRequired[pulumi.Input[dict[str, str]]]
    """Annotations of the Kafka resource."""
    node_pools: list[NodePoolArgs]
    """The cluster's nodes; there must be controllers and brokers among them."""
    cluster_domain: NotRequired[pulumi.Input[str]]
    """DNS domain of the Kubernetes cluster; ``cluster.local`` by default."""
    trust_domain: NotRequired[pulumi.Input[str]]
    """First part of every identity in the mesh; ``cluster.local`` by default."""
    wait: NotRequired[bool]
    """Whether to wait until the cluster is ready; true by default."""
    timeout: NotRequired[str]
    """How long to wait for it, as a Go duration; ``15m`` by default."""


def kafka_names(args: Mapping[str, Any]) -> pulumi.Output[names.Kafka]:
    """Return the names of what belongs to the cluster that a component's arguments speak of.

    Of them are read ``cluster_name``, ``namespace`` and ``cluster_domain``.
    """
    domain = args.get("cluster_domain", "cluster.local")
    return pulumi.Output.all(args["cluster_name"], args["namespace"], domain).apply(lambda parts: names.Kafka(*parts))


def mesh_identity(
    trust_domain: pulumi.Input[str], namespace: pulumi.Input[str], service_account: pulumi.Input[str]
) -> pulumi.Output[str]:
    """Return the identity of a service account in a mesh."""
    every: pulumi.Output[list[Any]] = pulumi.Output.all(trust_domain, namespace, service_account)
    return every.apply(lambda parts: names.identity(*parts))


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
                    "metadata": present(
                        {
                            "name": pool["name"],
                            "namespace": args["namespace"],
                            "labels": merged(pool.get("labels"), {"strimzi.io/cluster": args["cluster_name"]}),
                            "annotations": pool.get("annotations"),
                        }
                    ),
                    "spec": pool["spec"],
                },
                opts=pulumi.ResourceOptions(parent=self),
            )
            for pool in args["node_pools"]
        ]
        resource = custom_resource(
            f"{name}-kafka",
            {
                "apiVersion": "kafka.strimzi.io/v1",
                "kind": "Kafka",
                "metadata": present(
                    {
                        "name": args["cluster_name"],
                        "namespace": args["namespace"],
                        "labels": args.get("labels"),
                        "annotations": args.get("annotations"),
                    }
                ),
                "spec": args["spec"],
            },
            wait=args.get("wait", True),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=pools, custom_timeouts=timeouts(args.get("timeout", "15m"))
            ),
        )

        self.namespace = made(args["namespace"], resource)
        self.cluster_name = made(args["cluster_name"], resource)
        kafka = kafka_names(args)
        trust_domain = args.get("trust_domain", "cluster.local")

        self.bootstrap_address = made(kafka.apply(lambda of: of.bootstrap_address), resource)
        self.broker_principal = mesh_identity(trust_domain, self.namespace, kafka.apply(lambda of: of.broker_account))
        self.entity_operator_principal = mesh_identity(
            trust_domain, self.namespace, kafka.apply(lambda of: of.entity_operator_account)
        )
        self.register_outputs(
            {
                "namespace": self.namespace,
                "clusterName": self.cluster_name,
                "bootstrapAddress": self.bootstrap_address,
                "brokerPrincipal": self.broker_principal,
                "entityOperatorPrincipal": self.entity_operator_principal,
            }
        )

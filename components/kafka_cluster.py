"""A Kafka cluster that Strimzi runs (Strimzi 1.2, ``kafka.strimzi.io/v1``)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NotRequired, Self, TypedDict

import pulumi

from kafka_on_istio import names
from kafka_on_istio.access.model import AccessModel
from kafka_on_istio.charts.alerts import KAFKA_METRICS
from kafka_on_istio.merge import merge
from kafka_on_istio.policies.network_policies import listener_peers
from kafka_on_istio.settings.observability import Monitoring
from kafka_on_istio.settings.settings import Settings

from .kafka_node_pool import NodePoolArgs, create_node_pool, node_pool
from .manifest import available, custom_resource, present, timeouts
from .validation import check, exclusive


class KafkaListenerArgs(TypedDict):
    """A listener for clients inside the cluster."""

    name: NotRequired[str]
    """Name of the listener; ``plain`` by default."""
    port: NotRequired[pulumi.Input[int]]
    """Port of the listener; 9092 by default."""
    tls: NotRequired[pulumi.Input[bool]]
    """Whether Kafka encrypts connections itself; false by default, because the mesh does."""
    authentication: NotRequired[pulumi.Input[str]]
    """Strimzi's type of authentication; ``scram-sha-512`` by default."""
    peers: NotRequired[list[dict[str, Any]]]
    """NetworkPolicy peers that may connect; anyone in the cluster if not set."""


class KafkaClusterArgs(TypedDict):
    """Arguments of a KafkaCluster."""

    namespace: pulumi.Input[str]
    """Namespace of the cluster."""
    cluster_name: pulumi.Input[str]
    """Name of the Kafka resource."""
    version: NotRequired[pulumi.Input[str]]
    """Version of Apache Kafka; Strimzi's default if not set."""
    listeners: NotRequired[list[KafkaListenerArgs]]
    """Listeners for clients; one with SCRAM-SHA-512 on port 9092 by default."""
    replicas: NotRequired[int]
    """Replicas of internal topics, and of topics that do not set their own; 1 by default."""
    config: NotRequired[dict[str, Any]]
    """Broker settings, merged over the component's own."""
    topology_key: NotRequired[str]
    """Label of the cluster's nodes across whose values brokers and replicas are spread; not spread if not set."""
    metrics: NotRequired[bool]
    """Whether brokers expose metrics for Prometheus; false by default."""
    sidecar_injection: NotRequired[bool]
    """Whether the cluster's pods ask for a sidecar by label; false by default."""
    spec: NotRequired[pulumi.Input[dict[str, Any]]]
    """Complete spec of an existing Kafka resource, in place of all inputs from ``version`` to here."""
    labels: NotRequired[pulumi.Input[dict[str, str]]]
    """Labels of the Kafka resource."""
    annotations: NotRequired[pulumi.Input[dict[str, str]]]
    """Annotations of the Kafka resource."""
    node_pools: list[NodePoolArgs]
    """The cluster's nodes, with controllers and brokers among them."""
    cluster_domain: NotRequired[pulumi.Input[str]]
    """DNS domain of the Kubernetes cluster; ``cluster.local`` by default."""
    trust_domain: NotRequired[pulumi.Input[str]]
    """First part of every identity in the mesh; ``cluster.local`` by default."""
    wait: NotRequired[bool]
    """Whether to wait until the cluster is ready; true by default."""
    timeout: NotRequired[str]
    """How long to wait for it, as a Go duration; ``15m`` by default."""


_SPEC_INPUTS: Final = (
    "version",
    "listeners",
    "replicas",
    "config",
    "topology_key",
    "metrics",
    "sidecar_injection",
)


def kafka_names(args: Mapping[str, Any]) -> pulumi.Output[names.Kafka]:
    """Return the names of what belongs to the cluster in a component's arguments.

    Reads ``cluster_name``, ``namespace`` and ``cluster_domain``.
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
    """Host and port of the brokers."""
    broker_principal: pulumi.Output[str]
    """Identity of the brokers in the mesh."""
    entity_operator_principal: pulumi.Output[str]
    """Identity of the entity operator in the mesh."""

    def __init__(self, name: str, args: KafkaClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(f"KafkaCluster {name}", args, KafkaClusterArgs, _faults(args))
        super().__init__("kafka-on-istio:index:KafkaCluster", name, dict(args), opts)
        below = pulumi.ResourceOptions(parent=self)
        pools = [
            create_node_pool(f"{name}-pool-{pool['name']}", args["namespace"], args["cluster_name"], pool, below)
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
                "spec": args.get("spec") or _spec(args),
            },
            wait=args.get("wait", True),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=pools, custom_timeouts=timeouts(args.get("timeout", "15m"))
            ),
        )

        self.namespace = available(args["namespace"], resource)
        self.cluster_name = available(args["cluster_name"], resource)
        kafka = kafka_names(args)
        trust_domain = args.get("trust_domain", "cluster.local")

        self.bootstrap_address = available(kafka.apply(lambda of: of.bootstrap_address), resource)
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

    @classmethod
    def from_settings(cls, settings: Settings, access: AccessModel, opts: pulumi.ResourceOptions) -> Self:
        """Create the declared cluster, whose listener admits the clients of the access model."""
        args: KafkaClusterArgs = {
            "namespace": settings.kafka_namespace,
            "cluster_name": settings.kafka_cluster,
            "version": settings.kafka_version,
            "listeners": [{"peers": listener_peers(access)}],
            "replicas": settings.replicas,
            "config": settings.kafka_config,
            "metrics": settings.monitoring is Monitoring.FULL,
            "sidecar_injection": settings.sidecar_injection,
            "node_pools": [node_pool(pool) for pool in settings.kafka_node_pools],
            "cluster_domain": settings.cluster_domain,
            "trust_domain": settings.trust_domain,
            "wait": settings.wait_for_ready,
            "timeout": settings.timeouts.kafka,
        }
        if settings.topology_key:
            args["topology_key"] = settings.topology_key
        return cls("kafka", args, opts)


def _faults(args: KafkaClusterArgs) -> Iterator[str]:
    yield from exclusive(args, "spec", _SPEC_INPUTS)
    for index, pool in enumerate(args.get("node_pools", [])):
        yield from exclusive(pool, "spec", ("roles", "replicas", "storage", "resources"), f"node_pools[{index}]")


def _spec(args: KafkaClusterArgs) -> dict[str, Any]:
    replicas = args.get("replicas", 1)
    # With three replicas one may be down.
    in_sync = max(1, replicas - 1)
    config = {
        "auto.create.topics.enable": False,
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
    }
    metrics = {"type": "strimziMetricsReporter", "values": {"allowList": list(KAFKA_METRICS)}}
    kafka = {
        "version": args.get("version"),
        "listeners": [_listener(listener) for listener in args.get("listeners", [KafkaListenerArgs()])],
        "authorization": {"type": "simple"},
        "config": merge(config, args.get("config", {})),
        "template": {"pod": _pod(args)},
        "rack": {"topologyKey": args["topology_key"]} if "topology_key" in args else None,
        "metricsConfig": metrics if args.get("metrics") else None,
    }
    labels = _pod_labels(args, "kafka-entity-operator") | {"app-type": "entity-operator"}
    return {
        "kafka": present(kafka),
        "entityOperator": {
            "topicOperator": {"reconciliationIntervalMs": 90_000},
            "userOperator": {"reconciliationIntervalMs": 120_000},
            "template": {
                "pod": {"metadata": {"labels": labels}},
                # A topic's finalizer blocks a destroy once its operator is gone (strimzi/strimzi-kafka-operator#11901).
                "topicOperatorContainer": {"env": [{"name": "STRIMZI_USE_FINALIZERS", "value": "false"}]},
            },
        },
    }


def _listener(listener: KafkaListenerArgs) -> dict[str, Any]:
    fields = {
        "name": listener.get("name", "plain"),
        "port": listener.get("port", names.KAFKA_PORT),
        "type": "internal",
        "tls": listener.get("tls", False),
        "authentication": {"type": listener.get("authentication", "scram-sha-512")},
        "networkPolicyPeers": listener.get("peers"),
    }
    return present(fields)


def _pod_labels(args: KafkaClusterArgs, app: str) -> dict[str, str]:
    labels = {"app": f"{app}-demo-app-log", "version": "v1"}
    return labels | ({"sidecar.istio.io/inject": "true"} if args.get("sidecar_injection") else {})


def _pod(args: KafkaClusterArgs) -> dict[str, Any]:
    """Return the template of all nodes' pods."""
    metadata: dict[str, Any] = {"labels": _pod_labels(args, "kafka-cluster")}
    if args.get("metrics"):
        metadata["annotations"] = names.scraped(names.KAFKA_METRICS_PORT)
    if "topology_key" not in args:
        return {"metadata": metadata}
    spread = {
        "maxSkew": 1,
        "topologyKey": args["topology_key"],
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": kafka_names(args).apply(lambda of: of.broker_labels)},
        # Controllers and brokers share these labels, and each pool is spread by itself.
        "matchLabelKeys": ["strimzi.io/pool-name"],
    }
    return {"metadata": metadata, "topologySpreadConstraints": [spread]}

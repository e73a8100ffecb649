"""A workload of another program that uses a Kafka cluster of the mesh."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import EnvVarArgsDict

from kafka_on_istio import names
from kafka_on_istio.policies import kafka_client

from .kafka_acl import KafkaAclArgs
from .kafka_cluster import kafka_names, mesh_identity
from .kafka_credentials import kafka_environment
from .kafka_user import KafkaUser
from .manifest import deprecated, policy
from .validation import check


class KafkaClientArgs(TypedDict):
    """Arguments of a KafkaClient."""

    namespace: pulumi.Input[str]
    """Namespace of the workload."""
    service_account: pulumi.Input[str]
    """Service account of the workload, which is its identity in the mesh."""
    user_name: NotRequired[pulumi.Input[str]]
    """Name of its Kafka user; ``<namespace>.<service account>`` by default."""
    labels: pulumi.Input[dict[str, str]]
    """Labels that select the workload's pods and no others."""
    cluster_namespace: pulumi.Input[str]
    """Namespace of the Kafka cluster."""
    cluster_name: pulumi.Input[str]
    """Name of the Kafka cluster."""
    acls: list[KafkaAclArgs]
    """Everything that the workload may do."""
    rotation: NotRequired[pulumi.Input[str]]
    """Any text. Change this value to rotate the password."""
    isolated: NotRequired[bool]
    """Whether the workload gets strict mTLS and default deny, and only Kafka is allowed; true by default."""
    closed: NotRequired[bool]
    """Deprecated: use ``isolated``."""
    services: NotRequired[list[pulumi.Input[str]]]
    """Hosts that its sidecar knows besides Kafka, as ``namespace/host``; allow them in a NetworkPolicy of yours."""
    cluster_domain: NotRequired[pulumi.Input[str]]
    """DNS domain of the Kubernetes cluster; ``cluster.local`` by default."""
    trust_domain: NotRequired[pulumi.Input[str]]
    """First part of every identity in the mesh; ``cluster.local`` by default."""
    istio_namespace: NotRequired[pulumi.Input[str]]
    """Namespace of Istio's control plane; ``istio-system`` by default."""
    otlp_service: NotRequired[pulumi.Input[str]]
    """Name of the Service in that namespace which receives traces; ``jaeger`` by default."""
    dns_namespace: NotRequired[pulumi.Input[str]]
    """Namespace of the cluster's DNS pods; ``kube-system`` by default."""
    dns_labels: NotRequired[pulumi.Input[dict[str, str]]]
    """Labels of those pods; ``k8s-app: kube-dns`` by default."""
    dns_ports: NotRequired[list[int]]
    """Ports on which they listen; 53 by default."""
    wait: NotRequired[bool]
    """Whether to wait until the Kafka user can log in; true by default."""
    timeout: NotRequired[str]
    """How long to wait for it, as a Go duration; ``5m`` by default."""


class KafkaClient(pulumi.ComponentResource):
    """A Kafka user for one workload, its password in the workload's namespace, and the policies that allow it.

    The policies add to those of the cluster's own stack. On brokers without a policy, the first KafkaClient denies all
    other clients. A workload that is not isolated, in a namespace that is, needs a policy of yours that allows egress
    to the brokers. An isolated workload is a client of one cluster, because it has one Sidecar.
    """

    user_name: pulumi.Output[str]
    """Name of the Kafka user."""
    bootstrap_address: pulumi.Output[str]
    """Host and port of the brokers."""
    secret_name: pulumi.Output[str]
    """Name of the Secret with the password, in the workload's namespace."""
    secret_key: pulumi.Output[str]
    """Key of the password in that Secret."""

    def __init__(self, name: str, args: KafkaClientArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(f"KafkaClient {name}", args, KafkaClientArgs)
        super().__init__("kafka-on-istio:index:KafkaClient", name, dict(args), opts)
        below = pulumi.ResourceOptions(parent=self)
        domain = args.get("cluster_domain", "cluster.local")
        kafka = kafka_names(
            {
                "cluster_name": args["cluster_name"],
                "namespace": args["cluster_namespace"],
                "cluster_domain": domain,
            }
        )
        istio = args.get("istio_namespace", "istio-system")

        def shown(namespace: pulumi.Input[str], host: pulumi.Input[str]) -> pulumi.Output[str]:
            return pulumi.Output.concat(namespace, "/", host)

        # No namespace has a dot in its name, so that no two workloads share a user.
        user_name = pulumi.Output.concat(args["namespace"], ".", args["service_account"])
        otlp = pulumi.Output.all(args.get("otlp_service", "jaeger"), istio, domain)
        client = kafka_client.Client(
            namespace=args["namespace"],
            labels=args["labels"],
            principal=mesh_identity(
                args.get("trust_domain", "cluster.local"), args["namespace"], args["service_account"]
            ),
            cluster_namespace=args["cluster_namespace"],
            broker_labels=kafka.apply(lambda of: of.broker_labels),
            hosts=[
                shown(args["cluster_namespace"], kafka.apply(lambda of: of.bootstrap_host)),
                shown(args["cluster_namespace"], kafka.apply(lambda of: of.brokers_host)),
                shown(istio, otlp.apply(lambda parts: names.host(*parts))),
                *args.get("services", []),
            ],
            allow_name=pulumi.Output.concat(user_name, ".", args["cluster_name"]),
            isolation_name=pulumi.Output.concat(args["service_account"], ".", args["cluster_name"]),
            istio_namespace=istio,
            dns_namespace=args.get("dns_namespace", "kube-system"),
            dns_labels=args.get("dns_labels", {"k8s-app": "kube-dns"}),
            dns_ports=tuple(args.get("dns_ports", [53])),
        )
        if "closed" in args:
            deprecated(self, "closed", "isolated")
        is_isolated = args.get("isolated", args.get("closed", True))
        isolation = kafka_client.isolation(client) if is_isolated else ()
        for suffix, manifest in (*kafka_client.allow_rules(client), *isolation):
            policy(f"{name}-{suffix}", manifest, opts=below)

        user = KafkaUser(
            f"{name}-user",
            {
                "namespace": args["cluster_namespace"],
                "cluster_name": args["cluster_name"],
                "user_name": args.get("user_name", user_name),
                "acls": args["acls"],
                "rotation": args.get("rotation", "1"),
                "cluster_domain": domain,
                "wait": args.get("wait", True),
                "timeout": args.get("timeout", "5m"),
            },
            below,
        )
        self._login = user.credentials(f"{name}-credentials", args["namespace"], below)
        self.user_name = pulumi.Output.from_input(self._login["user_name"])
        self.bootstrap_address = pulumi.Output.from_input(self._login["bootstrap_address"])
        self.secret_name = pulumi.Output.from_input(self._login["secret_name"])
        self.secret_key = pulumi.Output.from_input(self._login["secret_key"])
        self.register_outputs(
            {
                "userName": self.user_name,
                "bootstrapAddress": self.bootstrap_address,
                "secretName": self.secret_name,
                "secretKey": self.secret_key,
            }
        )

    def environment(self) -> list[EnvVarArgsDict]:
        """Return the environment with which a container logs in to Kafka, for its ``env``."""
        return kafka_environment(self._login)

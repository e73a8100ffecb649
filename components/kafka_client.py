"""A workload of one's own that uses a Kafka cluster of the mesh."""

from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import EnvVarArgsDict

from components.kafka_cluster import kafka_names, mesh_identity
from components.kafka_user import KafkaAclArgs, KafkaUser
from components.manifest import policy
from model import client, names, workloads


class KafkaClientArgs(TypedDict):
    """What a KafkaClient needs."""

    namespace: pulumi.Input[str]
    """Namespace of the workload."""
    service_account: pulumi.Input[str]
    """Service account of the workload, which is its identity in the mesh."""
    user_name: NotRequired[pulumi.Input[str]]
    """Name of its Kafka user; namespace and service account with a dot between them by default."""
    labels: pulumi.Input[dict[str, str]]
    """Labels that select the workload's pods and no others."""
    cluster_namespace: pulumi.Input[str]
    """Namespace of the Kafka cluster."""
    cluster_name: pulumi.Input[str]
    """Name of the Kafka cluster."""
    acls: list[KafkaAclArgs]
    """All that the workload may do."""
    rotation: NotRequired[pulumi.Input[str]]
    """Any text; another one is another password."""
    closed: NotRequired[bool]
    """Whether nothing else may reach the workload, nor it anything else, but by further policies; true by default."""
    services: NotRequired[list[pulumi.Input[str]]]
    """Hosts that its sidecar knows besides Kafka, as ``namespace/host``; the network lets it through by your policy."""
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
    """A Kafka user for one workload, its password in the workload's namespace, and the policies that let it through.

    What the cluster's own stack has is added to and not changed. On brokers that no policy guards yet, whoever is no
    KafkaClient is refused from then on. A workload that is not closed, in a namespace that is, needs a policy of yours
    that lets it out to the brokers. A closed one is the client of one cluster, for it has one Sidecar.
    """

    user_name: pulumi.Output[str]
    """Name of the Kafka user."""
    bootstrap_address: pulumi.Output[str]
    """Host and port that the workload starts from."""
    secret_name: pulumi.Output[str]
    """Name of the Secret with the password, in the workload's namespace."""
    secret_key: pulumi.Output[str]
    """Key of the password in that Secret."""

    def __init__(self, name: str, args: KafkaClientArgs, opts: pulumi.ResourceOptions | None = None) -> None:
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

        # A dot is in no name of a namespace, so that no two workloads share it.
        user_name = pulumi.Output.concat(args["namespace"], ".", args["service_account"])
        otlp = pulumi.Output.all(args.get("otlp_service", "jaeger"), istio, domain)
        described = client.Client(
            namespace=args["namespace"],
            labels=args["labels"],
            principal=mesh_identity(
                args.get("trust_domain", "cluster.local"), args["namespace"], args["service_account"]
            ),
            cluster_namespace=args["cluster_namespace"],
            broker_labels=kafka.apply(lambda of: of.broker_labels),
            brokers=(
                shown(args["cluster_namespace"], kafka.apply(lambda of: of.bootstrap_host)),
                shown(args["cluster_namespace"], kafka.apply(lambda of: of.brokers_host)),
            ),
            services=(
                shown(istio, otlp.apply(lambda parts: names.host(*parts))),
                *args.get("services", []),
            ),
            opening=pulumi.Output.concat(user_name, ".", args["cluster_name"]),
            closing=pulumi.Output.concat(args["service_account"], ".", args["cluster_name"]),
            istio_namespace=istio,
            dns_namespace=args.get("dns_namespace", "kube-system"),
            dns_labels=args.get("dns_labels", {"k8s-app": "kube-dns"}),
            dns_ports=tuple(args.get("dns_ports", [53])),
        )
        closings = client.closings(described) if args.get("closed", True) else ()
        for suffix, manifest in (*client.openings(described), *closings):
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
        credentials = user.credentials(f"{name}-credentials", args["namespace"], below)
        self.user_name = credentials.user_name
        self.bootstrap_address = credentials.bootstrap_address
        self.secret_name = credentials.secret_name
        self.secret_key = credentials.secret_key
        self.register_outputs(
            {
                "userName": self.user_name,
                "bootstrapAddress": self.bootstrap_address,
                "secretName": self.secret_name,
                "secretKey": self.secret_key,
            }
        )

    def environment(self) -> list[EnvVarArgsDict]:
        """Return the environment that logs a container in to Kafka: its ``env``, or a part of it."""
        environment: list[Any] = workloads.kafka_environment(
            self.user_name, self.bootstrap_address, self.secret_name, self.secret_key
        )
        return environment

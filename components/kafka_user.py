"""A Kafka user with its password and what it may do."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_random import RandomPassword

from components.kafka_cluster import kafka_names
from components.kafka_credentials import PASSWORD_KEY, KafkaCredentials
from components.manifest import custom_resource, made, timeouts
from model import kafka


class KafkaAclArgs(TypedDict):
    """What a Kafka user may or may not do with one resource, or with all that share a prefix."""

    type: NotRequired[pulumi.Input[str]]
    """``allow`` or ``deny``, which goes before every ``allow``; ``allow`` by default."""
    resource: pulumi.Input[str]
    """Kind of the resource: ``topic``, ``group``, ``transactionalId`` or ``cluster``."""
    name: NotRequired[pulumi.Input[str]]
    """Name of the resource, or the prefix; a cluster has none."""
    pattern: NotRequired[pulumi.Input[str]]
    """``literal``, or ``prefix`` for all whose names begin so; ``literal`` by default."""
    operations: pulumi.Input[list[str]]
    """Kafka's operations, such as ``Read``, ``Write`` and ``Describe``."""


class KafkaUserArgs(TypedDict):
    """What a KafkaUser needs."""

    namespace: pulumi.Input[str]
    """Namespace of the cluster; Strimzi looks for the password's Secret nowhere else."""
    cluster_name: pulumi.Input[str]
    """Name of the cluster."""
    user_name: pulumi.Input[str]
    """Name of the user."""
    acls: list[KafkaAclArgs]
    """All that the user may do."""
    cluster_domain: NotRequired[pulumi.Input[str]]
    """DNS domain of the Kubernetes cluster; ``cluster.local`` by default."""
    rotation: NotRequired[pulumi.Input[str]]
    """Any text; another one is another password."""
    wait: NotRequired[bool]
    """Whether to wait until the user can log in; true by default."""
    timeout: NotRequired[str]
    """How long to wait for it, as a Go duration; ``5m`` by default."""


class KafkaUser(pulumi.ComponentResource):
    """A SCRAM-SHA-512 user whose password is made here, so that clients can be given it before Strimzi has run."""

    user_name: pulumi.Output[str]
    """Name of the user."""
    secret_name: pulumi.Output[str]
    """Name of the Secret with the password, in the cluster's namespace."""
    password: pulumi.Output[str]
    """The password, a secret."""
    bootstrap_address: pulumi.Output[str]
    """Host and port that clients start from."""

    def __init__(self, name: str, args: KafkaUserArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        faults = list(kafka.acl_faults(args["acls"]))
        if faults:
            raise pulumi.RunError("\n  ".join([f"KafkaUser {name}: its ACLs are wrong:", *faults]))
        super().__init__("kafka-on-istio:index:KafkaUser", name, dict(args), opts)
        # 32 is the least that FIPS mode takes, and Strimzi writes the password into a JAAS string unescaped.
        password = RandomPassword(
            f"{name}-password",
            length=32,
            special=False,
            keepers={"rotation": args.get("rotation", "1")},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.password = password.result
        secret = Secret(
            f"{name}-secret",
            metadata={"namespace": args["namespace"]},
            immutable=True,
            string_data={PASSWORD_KEY: self.password},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.secret_name = secret.metadata.name.apply(str)
        self._user = custom_resource(
            f"{name}-user",
            {
                "apiVersion": "kafka.strimzi.io/v1",
                "kind": "KafkaUser",
                "metadata": {
                    "name": args["user_name"],
                    "namespace": args["namespace"],
                    "labels": {"strimzi.io/cluster": args["cluster_name"]},
                },
                "spec": {
                    "authentication": {
                        "type": "scram-sha-512",
                        "password": {"valueFrom": {"secretKeyRef": {"name": self.secret_name, "key": PASSWORD_KEY}}},
                    },
                    "authorization": {"type": "simple", "acls": [kafka.acl_rule(acl) for acl in args["acls"]]},
                },
            },
            wait=args.get("wait", True),
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=timeouts(args.get("timeout"))),
        )
        self.user_name = made(args["user_name"], self._user)
        self.bootstrap_address = kafka_names(args).apply(lambda of: of.bootstrap_address)
        self.register_outputs(
            {
                "userName": self.user_name,
                "secretName": self.secret_name,
                "password": self.password,
                "bootstrapAddress": self.bootstrap_address,
            }
        )

    def credentials(
        self, name: str, namespace: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> KafkaCredentials:
        """Return what a client in ``namespace`` needs to log in as this user, once the user can."""
        return KafkaCredentials(
            name,
            {
                "namespace": namespace,
                "user_name": self.user_name,
                "password": self.password,
                "bootstrap_address": self.bootstrap_address,
            },
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[self._user])),
        )

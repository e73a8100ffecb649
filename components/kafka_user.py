"""A Kafka user with its password and its access control lists."""

from typing import NotRequired, Self, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_random import RandomPassword

from kafka_on_istio.access import model
from kafka_on_istio.settings.settings import Settings

from .kafka_acl import KafkaAclArgs, acl_faults, acl_rule
from .kafka_cluster import kafka_names
from .kafka_credentials import PASSWORD_KEY, KafkaCredentials, KafkaLogin
from .manifest import available, custom_resource, timeouts
from .validation import check


class KafkaUserArgs(TypedDict):
    """Arguments of a KafkaUser."""

    namespace: pulumi.Input[str]
    """Namespace of the cluster, the only one in which Strimzi looks for the password's Secret."""
    cluster_name: pulumi.Input[str]
    """Name of the cluster."""
    user_name: pulumi.Input[str]
    """Name of the user."""
    acls: list[KafkaAclArgs]
    """Everything that the user may do."""
    cluster_domain: NotRequired[pulumi.Input[str]]
    """DNS domain of the Kubernetes cluster; ``cluster.local`` by default."""
    rotation: NotRequired[pulumi.Input[str]]
    """Any text. Change this value to rotate the password."""
    wait: NotRequired[bool]
    """Whether to wait until the user can log in; true by default."""
    timeout: NotRequired[str]
    """How long to wait for it, as a Go duration; ``5m`` by default."""


class KafkaUser(pulumi.ComponentResource):
    """A SCRAM-SHA-512 user whose password the program generates, so that clients get it before Strimzi has run."""

    user_name: pulumi.Output[str]
    """Name of the user."""
    secret_name: pulumi.Output[str]
    """Name of the Secret with the password, in the cluster's namespace."""
    password: pulumi.Output[str]
    """The password, a secret."""
    bootstrap_address: pulumi.Output[str]
    """Host and port of the brokers."""

    def __init__(self, name: str, args: KafkaUserArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(f"KafkaUser {name}", args, KafkaUserArgs, acl_faults(args.get("acls", [])))
        super().__init__("kafka-on-istio:index:KafkaUser", name, dict(args), opts)
        # FIPS mode requires 32 characters, and Strimzi writes the password into a JAAS string without escaping.
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
                    "authorization": {"type": "simple", "acls": [acl_rule(acl) for acl in args["acls"]]},
                },
            },
            wait=args.get("wait", True),
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=timeouts(args.get("timeout"))),
        )
        self.user_name = available(args["user_name"], self._user)
        self.bootstrap_address = kafka_names(args).apply(lambda of: of.bootstrap_address)
        self.register_outputs(
            {
                "userName": self.user_name,
                "secretName": self.secret_name,
                "password": self.password,
                "bootstrapAddress": self.bootstrap_address,
            }
        )

    @classmethod
    def from_settings(cls, settings: Settings, user: model.KafkaUser, opts: pulumi.ResourceOptions) -> Self:
        """Create a user of the access model."""
        return cls(
            user.name,
            {
                "namespace": settings.kafka_namespace,
                "cluster_name": settings.kafka_cluster,
                "user_name": user.name,
                "acls": [
                    {"resource": acl.resource, "name": acl.name, "operations": list(acl.operations)}
                    for acl in user.acls
                ],
                "cluster_domain": settings.cluster_domain,
                "rotation": f"{settings.password_rotation}.{settings.user_password_rotation.get(user.name, 1)}",
                "wait": settings.wait_for_ready,
                "timeout": settings.timeouts.custom_resource,
            },
            opts,
        )

    def credentials(
        self, name: str, namespace: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> KafkaLogin:
        """Return what a client in ``namespace`` needs to log in as this user, available once the user can log in."""
        return KafkaCredentials(
            name,
            {
                "namespace": namespace,
                "user_name": self.user_name,
                "password": self.password,
                "bootstrap_address": self.bootstrap_address,
            },
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[self._user])),
        ).login

"""What a client needs to log in to Kafka, in its own namespace."""

from typing import TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import EnvVarArgsDict, Secret

from .validation import check

PASSWORD_KEY = "password"  # noqa: S105
"""Key of the password in its Secret."""


class KafkaLogin(TypedDict):
    """How a client logs in to Kafka."""

    user_name: pulumi.Input[str]
    """Name of the Kafka user."""
    bootstrap_address: pulumi.Input[str]
    """Host and port of the brokers."""
    secret_name: pulumi.Input[str]
    """Name of the Secret with the password, in the client's namespace."""
    secret_key: pulumi.Input[str]
    """Key of the password in that Secret."""


def kafka_environment(login: KafkaLogin) -> list[EnvVarArgsDict]:
    """Return the environment with which a container logs in to Kafka."""
    return [
        {"name": "KAFKA_BOOTSTRAP_SERVER", "value": login["bootstrap_address"]},
        {"name": "KAFKA_USER_NAME", "value": login["user_name"]},
        {
            "name": "KAFKA_PASSWORD",
            "value_from": {"secret_key_ref": {"name": login["secret_name"], "key": login["secret_key"]}},
        },
    ]


class KafkaCredentialsArgs(TypedDict):
    """Arguments of KafkaCredentials."""

    namespace: pulumi.Input[str]
    """Namespace of the client."""
    user_name: pulumi.Input[str]
    """Name of the Kafka user."""
    password: pulumi.Input[str]
    """The user's password."""
    bootstrap_address: pulumi.Input[str]
    """Host and port of the brokers."""


class KafkaCredentials(pulumi.ComponentResource):
    """A Kafka user's name, password and address for one client.

    The Secret with the password is immutable: a new password is a new Secret with a new name, so that the pods that
    refer to it roll.
    """

    user_name: pulumi.Output[str]
    """Name of the Kafka user."""
    bootstrap_address: pulumi.Output[str]
    """Host and port of the brokers."""
    secret_name: pulumi.Output[str]
    """Name of the Secret with the password."""
    secret_key: pulumi.Output[str]
    """Key of the password in that Secret."""

    def __init__(self, name: str, args: KafkaCredentialsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(f"KafkaCredentials {name}", args, KafkaCredentialsArgs)
        super().__init__("kafka-on-istio:index:KafkaCredentials", name, dict(args), opts)
        secret = Secret(
            f"{name}-secret",
            metadata={"namespace": args["namespace"]},
            immutable=True,
            string_data={PASSWORD_KEY: args["password"]},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.user_name = pulumi.Output.from_input(args["user_name"])
        self.bootstrap_address = pulumi.Output.from_input(args["bootstrap_address"])
        self.secret_name = secret.metadata.name.apply(str)
        self.secret_key = pulumi.Output.from_input(PASSWORD_KEY)
        self.register_outputs(
            {
                "userName": self.user_name,
                "bootstrapAddress": self.bootstrap_address,
                "secretName": self.secret_name,
                "secretKey": self.secret_key,
            }
        )

    @property
    def login(self) -> KafkaLogin:
        """How the client logs in."""
        return {
            "user_name": self.user_name,
            "bootstrap_address": self.bootstrap_address,
            "secret_name": self.secret_name,
            "secret_key": self.secret_key,
        }

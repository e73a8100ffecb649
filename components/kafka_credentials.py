"""What a client needs to log in to Kafka, in its own namespace."""

from typing import TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Secret

PASSWORD_KEY = "password"  # noqa: S105
"""Key of the password in its Secret."""


class KafkaCredentialsArgs(TypedDict):
    """What KafkaCredentials need."""

    namespace: pulumi.Input[str]
    """Namespace of the client."""
    user_name: pulumi.Input[str]
    """Name of the Kafka user."""
    password: pulumi.Input[str]
    """The user's password."""
    bootstrap_address: pulumi.Input[str]
    """Host and port that the client starts from."""


class KafkaCredentials(pulumi.ComponentResource):
    """A Kafka user's name, password and address for one client.

    The password is in a Secret that never changes: another password is another Secret under another name, so that
    whatever refers to it rolls by itself.
    """

    user_name: pulumi.Output[str]
    """Name of the Kafka user."""
    bootstrap_address: pulumi.Output[str]
    """Host and port that the client starts from."""
    secret_name: pulumi.Output[str]
    """Name of the Secret with the password."""
    secret_key: pulumi.Output[str]
    """Key of the password in that Secret."""

    def __init__(self, name: str, args: KafkaCredentialsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
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

"""The demo application: all its services."""

from typing import Self, TypedDict

import pulumi

from kafka_on_istio.settings.settings import Settings

from .demo_service import DemoService, DemoServiceArgs
from .kafka_credentials import KafkaLogin
from .validation import check


class DemoApplicationArgs(TypedDict):
    """Arguments of a DemoApplication."""

    services: list[DemoServiceArgs]
    """The application's services."""


class DemoApplication(pulumi.ComponentResource):
    """The services that call each other and log each call to Kafka."""

    service_names: pulumi.Output[list[str]]
    """Names of the services."""

    def __init__(self, name: str, args: DemoApplicationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(f"DemoApplication {name}", args, DemoApplicationArgs)
        super().__init__("kafka-on-istio:index:DemoApplication", name, dict(args), opts)
        for service in args["services"]:
            DemoService(f"{name}-{service['service_name']}", service, opts=pulumi.ResourceOptions(parent=self))
        self.service_names = pulumi.Output.from_input([service["service_name"] for service in args["services"]])
        self.register_outputs({"serviceNames": self.service_names})

    @classmethod
    def from_settings(
        cls, settings: Settings, credentials: dict[str, KafkaLogin], opts: pulumi.ResourceOptions
    ) -> Self:
        """Create the declared services; ``credentials`` are by Kafka user."""
        services = [
            DemoService.declared(settings, service, credentials.get(service.user or ""))
            for service in settings.services
        ]
        return cls("demo", {"services": services}, opts)

"""The demo application: all its services."""

from typing import TypedDict

import pulumi

from components.demo_service import DemoService, DemoServiceArgs


class DemoApplicationArgs(TypedDict):
    """What a DemoApplication needs."""

    services: list[DemoServiceArgs]
    """The application's services."""


class DemoApplication(pulumi.ComponentResource):
    """The services that call each other and log each call to Kafka."""

    service_names: pulumi.Output[list[str]]
    """Names of the services."""

    def __init__(self, name: str, args: DemoApplicationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kafka-on-istio:index:DemoApplication", name, dict(args), opts)
        for service in args["services"]:
            DemoService(f"{name}-{service['service_name']}", service, opts=pulumi.ResourceOptions(parent=self))
        self.service_names = pulumi.Output.from_input([service["service_name"] for service in args["services"]])
        self.register_outputs({"serviceNames": self.service_names})

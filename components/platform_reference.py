"""A platform that another stack has made."""

from typing import Any, TypedDict

import pulumi

from model import platform
from model.settings import SettingsError


class PlatformReferenceArgs(TypedDict):
    """What a PlatformReference needs."""

    stack: str
    """The stack that made the platform, as ``organization/project/stack``."""
    namespace: str
    """Namespace of its control plane."""
    assumed: dict[str, Any]
    """What is taken for granted of it, as ``model.platform.assumed`` says."""


class PlatformReference(pulumi.ComponentResource):
    """The platform of another stack, in place of one's own.

    ``ready`` is what everything of the application depends on. It fails, before anything is made, with a line for each
    thing that is taken for granted and not so.
    """

    namespace: pulumi.Output[str]
    """Namespace of the control plane."""
    ingress_address: pulumi.Output[str]
    """Where the platform's gateway is reached."""

    def __init__(self, name: str, args: PlatformReferenceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kafka-on-istio:index:PlatformReference", name, dict(args), opts)
        reference = pulumi.StackReference(
            f"{name}-stack", stack_name=args["stack"], opts=pulumi.ResourceOptions(parent=self)
        )

        def agreed(found: dict[str, Any] | None) -> pulumi.Resource:
            faults = list(platform.disagreements(args["stack"], args["assumed"], found))
            if faults:
                raise pulumi.RunError(str(SettingsError(faults)))
            return reference

        self.ready = reference.get_output("platform").apply(agreed)
        self.namespace = pulumi.Output.from_input(args["namespace"])
        self.ingress_address = reference.get_output("ingressAddress")
        self.register_outputs({"namespace": self.namespace, "ingressAddress": self.ingress_address})

"""A platform that this stack has not made."""

from typing import Any, TypedDict

import pulumi

from model import platform
from model.settings import SettingsError


class PlatformReferenceArgs(TypedDict):
    """What a PlatformReference needs."""

    stack: str
    """The stack that made the platform, as ``organization/project/stack``; empty where it was made by other means."""
    namespace: str
    """Namespace of its control plane."""
    gateway_host: str
    """DNS name of its ingress gateway inside the cluster, for want of the stack's word on where that is reached."""
    assumed: dict[str, Any]
    """What is taken for granted of it, as ``model.platform.assumed`` says."""


class PlatformReference(pulumi.ComponentResource):
    """The platform of another stack, or one that no stack has made, in place of one's own.

    ``ready`` is what everything of the application depends on. Where there is a stack to ask it fails, before anything
    is made, with a line for each thing that is taken for granted and not so.
    """

    namespace: pulumi.Output[str]
    """Namespace of the control plane."""
    ingress_address: pulumi.Output[str]
    """Where the platform's gateway is reached."""

    def __init__(self, name: str, args: PlatformReferenceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kafka-on-istio:index:PlatformReference", name, dict(args), opts)
        self.namespace = pulumi.Output.from_input(args["namespace"])
        self.ready: pulumi.Input[pulumi.Resource] = self
        self.ingress_address = pulumi.Output.from_input(args["gateway_host"])
        if args["stack"]:
            reference = pulumi.StackReference(
                f"{name}-stack", stack_name=args["stack"], opts=pulumi.ResourceOptions(parent=self)
            )
            self.ready = self._agreed(reference, args)
            self.ingress_address = reference.get_output("ingressAddress")
        self.register_outputs({"namespace": self.namespace, "ingressAddress": self.ingress_address})

    def _agreed(self, reference: pulumi.StackReference, args: PlatformReferenceArgs) -> pulumi.Output[pulumi.Resource]:
        """Return the reference once its stack has been found to be what is taken for granted."""

        def agreed(found: dict[str, Any] | None) -> pulumi.Resource:
            faults = list(platform.disagreements(args["stack"], args["assumed"], found))
            if faults:
                raise pulumi.RunError(str(SettingsError(faults)))
            return reference

        return reference.get_output("platform").apply(agreed)

"""A platform that this stack does not create."""

from typing import Any, Self, TypedDict

import pulumi

from kafka_on_istio import names
from kafka_on_istio.outputs import platform_output
from kafka_on_istio.settings.errors import SettingsError
from kafka_on_istio.settings.settings import Settings

from .validation import check


class PlatformReferenceArgs(TypedDict):
    """Arguments of a PlatformReference."""

    stack: str
    """The stack that created the platform, ``organization/project/stack``; empty if it was installed by other means."""
    namespace: str
    """Namespace of its control plane."""
    gateway_host: str
    """DNS name of its ingress gateway inside the cluster, the ingress address if there is no stack to ask."""
    assumed: dict[str, Any]
    """What this stack assumes of it, as ``kafka_on_istio.outputs.platform_output.assumed`` returns it."""


class PlatformReference(pulumi.ComponentResource):
    """The platform of another stack, or one that was installed by other means.

    ``ready`` is what everything of the application depends on. With a stack to ask, it fails before anything is
    created, with a line for each assumption that does not hold.
    """

    namespace: pulumi.Output[str]
    """Namespace of the control plane."""
    ingress_address: pulumi.Output[str]
    """Address of the platform's gateway."""

    def __init__(self, name: str, args: PlatformReferenceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(f"PlatformReference {name}", args, PlatformReferenceArgs)
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

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Refer to the platform that the settings name."""
        return cls(
            "platform",
            {
                "stack": settings.platform_stack,
                "namespace": settings.istio_namespace,
                "gateway_host": names.gateway_host(settings),
                "assumed": platform_output.assumed(settings),
            },
        )

    def _agreed(self, reference: pulumi.StackReference, args: PlatformReferenceArgs) -> pulumi.Output[pulumi.Resource]:
        """Return the reference once its stack matches the assumptions."""

        def agreed(found: dict[str, Any] | None) -> pulumi.Resource:
            faults = list(platform_output.disagreements(args["stack"], args["assumed"], found))
            if faults:
                raise pulumi.RunError(str(SettingsError(faults)))
            return reference

        return reference.get_output("platform").apply(agreed)

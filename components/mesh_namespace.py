"""A namespace whose pods belong to the mesh."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Namespace


class MeshNamespaceArgs(TypedDict):
    """What a MeshNamespace needs."""

    namespace: pulumi.Input[str]
    """Name of the namespace."""
    injected: NotRequired[bool]
    """Whether Istio injects a sidecar into its pods; false by default."""


class MeshNamespace(pulumi.ComponentResource):
    """A namespace, labelled for sidecar injection where there is a data plane."""

    namespace: pulumi.Output[str]
    """Name of the namespace."""

    def __init__(self, name: str, args: MeshNamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kafka-on-istio:index:MeshNamespace", name, dict(args), opts)
        labels = {"istio-injection": "enabled"} if args.get("injected") else {}
        Namespace(
            f"{name}-namespace",
            metadata={"name": args["namespace"], "labels": labels},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.namespace = pulumi.Output.from_input(args["namespace"])
        self.register_outputs({"namespace": self.namespace})

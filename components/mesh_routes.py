"""Routes in the mesh."""

from typing import Any, TypedDict

import pulumi

from .manifest import create_all
from .validation import check


class MeshRoutesArgs(TypedDict):
    """Arguments of MeshRoutes."""

    routes: list[dict[str, Any]]
    """Manifests ``{apiVersion, kind, metadata, spec}`` of DestinationRules and VirtualServices, with plain metadata."""


class MeshRoutes(pulumi.ComponentResource):
    """How calls are distributed over the versions of services, whose pods must exist."""

    route_names: pulumi.Output[list[str]]
    """What was created, each as ``kind/namespace/name``."""

    def __init__(self, name: str, args: MeshRoutesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(f"MeshRoutes {name}", args, MeshRoutesArgs)
        super().__init__("kafka-on-istio:index:MeshRoutes", name, dict(args), opts)
        self.route_names = pulumi.Output.from_input(create_all(name, args["routes"], self))
        self.register_outputs({"routeNames": self.route_names})

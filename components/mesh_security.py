"""Everything that says who may talk to whom in the mesh and below it."""

from typing import Any, TypedDict

import pulumi

from components.manifest import create_all


class MeshSecurityArgs(TypedDict):
    """What MeshSecurity needs."""

    policies: list[dict[str, Any]]
    """Manifests ``{apiVersion, kind, metadata, spec}`` of Istio resources and NetworkPolicies, with plain metadata."""


class MeshSecurity(pulumi.ComponentResource):
    """The policies of mesh and network, and the ways in and out: closed by default, open where declared."""

    policy_names: pulumi.Output[list[str]]
    """What was made, each as ``kind/namespace/name``."""

    def __init__(self, name: str, args: MeshSecurityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kafka-on-istio:index:MeshSecurity", name, dict(args), opts)
        self.policy_names = pulumi.Output.from_input(create_all(name, args["policies"], self))
        self.register_outputs({"policyNames": self.policy_names})

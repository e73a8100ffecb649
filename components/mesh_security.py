"""Everything that says who may talk to whom in the mesh and below it."""

from typing import Any, TypedDict

import pulumi

from components.manifest import policy


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
        made = []
        for manifest in args["policies"]:
            kind, metadata = manifest["kind"], manifest["metadata"]
            child = f"{name}-{kind.lower()}-{metadata['namespace']}-{metadata['name']}"
            policy(child, manifest, opts=pulumi.ResourceOptions(parent=self))
            made.append(f"{kind}/{metadata['namespace']}/{metadata['name']}")
        self.policy_names = pulumi.Output.from_input(made)
        self.register_outputs({"policyNames": self.policy_names})

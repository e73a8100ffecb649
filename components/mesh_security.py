"""The policies of the mesh and the network."""

from typing import Any, TypedDict

import pulumi

from .manifest import create_all
from .validation import check


class MeshSecurityArgs(TypedDict):
    """Arguments of MeshSecurity."""

    policies: list[dict[str, Any]]
    """Manifests ``{apiVersion, kind, metadata, spec}`` of Istio resources and NetworkPolicies, with plain metadata."""


class MeshSecurity(pulumi.ComponentResource):
    """Policies of the mesh and the network, the ingress and the hosts outside: default deny, with allow rules."""

    policy_names: pulumi.Output[list[str]]
    """What was created, each as ``kind/namespace/name``."""

    def __init__(self, name: str, args: MeshSecurityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(f"MeshSecurity {name}", args, MeshSecurityArgs)
        super().__init__("kafka-on-istio:index:MeshSecurity", name, dict(args), opts)
        self.policy_names = pulumi.Output.from_input(create_all(name, args["policies"], self))
        self.register_outputs({"policyNames": self.policy_names})

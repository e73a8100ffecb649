"""A namespace whose pods belong to the mesh."""

from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import LimitRange, Namespace, ResourceQuota

from components.manifest import made, merged, policy, present
from model import policies


class MeshNamespaceArgs(TypedDict):
    """What a MeshNamespace needs."""

    namespace: pulumi.Input[str]
    """Name of the namespace."""
    injected: NotRequired[bool]
    """Whether Istio injects a sidecar into its pods; false by default."""
    closed: NotRequired[bool]
    """Whether all is mutual TLS in it, and nothing may talk to anything but by further policies; needs Istio's CRDs."""
    labels: NotRequired[pulumi.Input[dict[str, str]]]
    """Further labels."""
    annotations: NotRequired[pulumi.Input[dict[str, str]]]
    """Annotations."""
    pod_security: NotRequired[pulumi.Input[str]]
    """Pod Security Standard that is enforced; left out, it is the cluster's."""
    quota: NotRequired[pulumi.Input[dict[str, Any]]]
    """Specification of the ResourceQuota; left out, there is none."""
    container_defaults: NotRequired[pulumi.Input[dict[str, Any]]]
    """Specification of the LimitRange; left out, there is none."""


class MeshNamespace(pulumi.ComponentResource):
    """A namespace, labelled for sidecar injection where there is a data plane, and closed where asked for."""

    namespace: pulumi.Output[str]
    """Name of the namespace."""

    def __init__(self, name: str, args: MeshNamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kafka-on-istio:index:MeshNamespace", name, dict(args), opts)
        labels: dict[str, Any] = {"istio-injection": "enabled"} if args.get("injected") else {}
        if "pod_security" in args:
            labels["pod-security.kubernetes.io/enforce"] = args["pod_security"]
        own: Any = present(
            {
                "name": args["namespace"],
                "labels": merged(args.get("labels"), labels),
                "annotations": args.get("annotations"),
            }
        )
        namespace = Namespace(
            f"{name}-namespace",
            metadata=own,
            opts=pulumi.ResourceOptions(parent=self),
        )
        # They hold no data, and can be taken away where the namespace cannot.
        within = pulumi.ResourceOptions(parent=self, depends_on=[namespace], protect=False, retain_on_delete=False)
        metadata: Any = {"name": "pods", "namespace": args["namespace"]}
        if "quota" in args:
            quota: Any = args["quota"]
            ResourceQuota(f"{name}-quota", metadata=metadata, spec=quota, opts=within)
        if "container_defaults" in args:
            defaults: Any = args["container_defaults"]
            LimitRange(f"{name}-container-defaults", metadata=metadata, spec=defaults, opts=within)
        if args.get("closed"):
            for manifest in (policies.mutual_tls(args["namespace"]), *policies.default_deny(args["namespace"])):
                policy(f"{name}-{manifest['kind'].lower()}", manifest, opts=within)
        self.namespace = made(args["namespace"], namespace)
        self.register_outputs({"namespace": self.namespace})

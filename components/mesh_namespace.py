"""A namespace whose pods belong to the mesh."""

from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import LimitRange, Namespace, NamespacePatch, ResourceQuota

from components.chart import stack_owner
from components.manifest import made, merged, policy, present
from model import policies
from model.ownership import ANNOTATION

POD_SECURITY_LABEL = "pod-security.kubernetes.io/enforce"
"""Label by which Kubernetes enforces a Pod Security Standard in a namespace."""


class MeshNamespaceArgs(TypedDict):
    """What a MeshNamespace needs."""

    namespace: pulumi.Input[str]
    """Name of the namespace."""
    exists: NotRequired[bool]
    """Whether the namespace exists already: it is labelled, and never created or deleted; false by default."""
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


def labelled_namespace(
    name: str,
    namespace: pulumi.Input[str],
    labels: pulumi.Input[dict[str, str]],
    annotations: pulumi.Input[dict[str, str]] | None = None,
    *,
    exists: bool,
    opts: pulumi.ResourceOptions,
) -> Namespace | NamespacePatch:
    """Create a namespace that belongs to this stack, or label one that exists."""
    if exists:
        patch: Any = present({"name": namespace, "labels": labels, "annotations": annotations})
        return NamespacePatch(name, metadata=patch, opts=opts)
    own: Any = {
        "name": namespace,
        "labels": labels,
        "annotations": merged(annotations, {ANNOTATION: stack_owner()}),
    }
    return Namespace(name, metadata=own, opts=opts)


class MeshNamespace(pulumi.ComponentResource):
    """A namespace, labelled for sidecar injection where there is a data plane, and closed where asked for."""

    namespace: pulumi.Output[str]
    """Name of the namespace."""

    def __init__(self, name: str, args: MeshNamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kafka-on-istio:index:MeshNamespace", name, dict(args), opts)
        labels: dict[str, Any] = {"istio-injection": "enabled"} if args.get("injected") else {}
        if "pod_security" in args:
            labels[POD_SECURITY_LABEL] = args["pod_security"]
        namespace = labelled_namespace(
            f"{name}-namespace",
            args["namespace"],
            merged(args.get("labels"), labels),
            args.get("annotations"),
            exists=args.get("exists", False),
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

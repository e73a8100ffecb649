"""A namespace whose pods belong to the mesh."""

from collections.abc import Mapping
from typing import Any, Final, NotRequired, Self, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import LimitRange, LimitRangeSpecArgsDict, Namespace, NamespacePatch, ResourceQuota
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from kafka_on_istio.ownership import ANNOTATION
from kafka_on_istio.policies.default_deny import default_deny, mutual_tls
from kafka_on_istio.settings.settings import Settings

from .chart import stack_owner
from .manifest import available, deprecated, merged, policy, present
from .validation import check

POD_SECURITY_LABEL = "pod-security.kubernetes.io/enforce"
"""Label by which Kubernetes enforces a Pod Security Standard in a namespace."""

_CONTAINER_DEFAULTS: Final[LimitRangeSpecArgsDict] = {
    "limits": [
        {
            "type": "Container",
            "default": {"cpu": "500m", "memory": "512Mi"},
            "default_request": {"cpu": "100m", "memory": "256Mi"},
        }
    ]
}
"""For containers without requests and limits, such as those of Strimzi's entity operator: a quota refuses them."""


class MeshNamespaceArgs(TypedDict):
    """Arguments of a MeshNamespace."""

    namespace: pulumi.Input[str]
    """Name of the namespace."""
    exists: NotRequired[bool]
    """Whether the namespace already exists: it is labelled, and never created or deleted; false by default."""
    sidecar_injection: NotRequired[bool]
    """Whether Istio injects a sidecar into its pods; false by default."""
    injected: NotRequired[bool]
    """Deprecated: use ``sidecar_injection``."""
    isolated: NotRequired[bool]
    """Enforces strict mTLS and default deny; requires Istio's CRDs. False by default."""
    closed: NotRequired[bool]
    """Deprecated: use ``isolated``."""
    labels: NotRequired[pulumi.Input[dict[str, str]]]
    """Additional labels."""
    annotations: NotRequired[pulumi.Input[dict[str, str]]]
    """Annotations."""
    pod_security: NotRequired[pulumi.Input[str]]
    """Pod Security Standard that is enforced; the cluster's default if not set."""
    hard_quota: NotRequired[pulumi.Input[dict[str, str]]]
    """``spec.hard`` of a ResourceQuota, which also gives containers default requests and limits; none if not set."""
    quota: NotRequired[pulumi.Input[dict[str, Any]]]
    """Deprecated: use ``hard_quota``. Spec of the ResourceQuota."""
    container_defaults: NotRequired[pulumi.Input[dict[str, Any]]]
    """Spec of the LimitRange, in place of the defaults that ``hard_quota`` brings."""


def labelled_namespace(
    name: str,
    namespace: pulumi.Input[str],
    labels: pulumi.Input[Mapping[str, pulumi.Input[str]]],
    annotations: pulumi.Input[dict[str, str]] | None = None,
    *,
    exists: bool,
    opts: pulumi.ResourceOptions,
) -> Namespace | NamespacePatch:
    """Create a namespace that belongs to this stack, or label one that exists."""
    if exists:
        patch: Any = present({"name": namespace, "labels": labels, "annotations": annotations})
        return NamespacePatch(name, metadata=patch, opts=opts)
    own: ObjectMetaArgsDict = {
        "name": namespace,
        "labels": labels,
        "annotations": merged(annotations, {ANNOTATION: stack_owner()}),
    }
    return Namespace(name, metadata=own, opts=opts)


class MeshNamespace(pulumi.ComponentResource):
    """A namespace with sidecar injection, isolation, a Pod Security Standard and a quota, each if set."""

    namespace: pulumi.Output[str]
    """Name of the namespace."""

    def __init__(self, name: str, args: MeshNamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(f"MeshNamespace {name}", args, MeshNamespaceArgs)
        super().__init__("kafka-on-istio:index:MeshNamespace", name, dict(args), opts)
        for old, new in (("injected", "sidecar_injection"), ("closed", "isolated"), ("quota", "hard_quota")):
            if old in args:
                deprecated(self, old, new)
        is_injected = args.get("sidecar_injection", args.get("injected", False))
        labels: dict[str, Any] = {"istio-injection": "enabled"} if is_injected else {}
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
        # They hold no data, so they can be deleted if the namespace is protected.
        within = pulumi.ResourceOptions(parent=self, depends_on=[namespace], protect=False, retain_on_delete=False)
        metadata: ObjectMetaArgsDict = {"name": "pods", "namespace": args["namespace"]}
        quota: Any = {"hard": args["hard_quota"]} if "hard_quota" in args else args.get("quota")
        if quota:
            ResourceQuota(f"{name}-quota", metadata=metadata, spec=quota, opts=within)
        defaults: Any = args.get("container_defaults") or (_CONTAINER_DEFAULTS if "hard_quota" in args else None)
        if defaults:
            LimitRange(f"{name}-container-defaults", metadata=metadata, spec=defaults, opts=within)
        if args.get("isolated", args.get("closed")):
            for manifest in (mutual_tls(args["namespace"]), *default_deny(args["namespace"])):
                policy(f"{name}-{manifest['kind'].lower()}", manifest, opts=within)
        self.namespace = available(args["namespace"], namespace)
        self.register_outputs({"namespace": self.namespace})

    @classmethod
    def from_settings(cls, settings: Settings, purpose: str, opts: pulumi.ResourceOptions | None = None) -> Self:
        """Create one of the stack's namespaces, by its purpose: ``kafka``, ``application`` or ``strimzi``."""
        namespace = settings.namespaces[purpose]
        args: MeshNamespaceArgs = {
            "namespace": namespace,
            "exists": namespace in settings.existing_namespaces,
            "sidecar_injection": settings.sidecar_injection,
            "pod_security": settings.pod_security.value,
        }
        quota = {"kafka": settings.quotas.kafka, "application": settings.quotas.application}.get(purpose)
        if quota:
            args["hard_quota"] = quota
        return cls(purpose, args, opts)

"""Custom resources out of plain manifests."""

from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.networking.v1 import NetworkPolicy


def custom_resource(
    name: str, manifest: dict[str, Any], *, opts: pulumi.ResourceOptions, wait: bool = False
) -> CustomResource:
    """Create the object of a manifest; with ``wait`` it counts as created once its condition Ready is true.

    ``manifest`` is ``{apiVersion, kind, metadata, spec}``; values may be Pulumi outputs.
    """
    metadata = dict(manifest["metadata"])
    if wait:
        metadata["annotations"] = metadata.get("annotations", {}) | {"pulumi.com/waitFor": "condition=Ready"}
    return CustomResource(
        name,
        api_version=manifest["apiVersion"],
        kind=manifest["kind"],
        metadata=metadata,
        spec=manifest["spec"],
        opts=opts,
    )


def policy(name: str, manifest: dict[str, Any], *, opts: pulumi.ResourceOptions) -> None:
    """Create a NetworkPolicy, or a policy of Istio's, out of its manifest."""
    if manifest["kind"] == "NetworkPolicy":
        NetworkPolicy(name, metadata=manifest["metadata"], spec=manifest["spec"], opts=opts)
    else:
        custom_resource(name, manifest, opts=opts)


def timeouts(duration: str | None) -> pulumi.CustomTimeouts:
    """Return the same time limit, a Go duration such as ``90s`` (five minutes if None), for each operation."""
    duration = duration or "5m"
    return pulumi.CustomTimeouts(create=duration, update=duration, delete=duration)


def await_annotations(wait: bool) -> dict[str, str]:
    """Annotations of a Deployment or Service that says whether to wait until it is ready."""
    return {} if wait else {"pulumi.com/skipAwait": "true"}

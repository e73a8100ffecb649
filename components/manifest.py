"""Custom resources from plain manifests, and what all components share."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.networking.v1 import NetworkPolicy

T = TypeVar("T")


def available(value: pulumi.Input[T], resource: pulumi.Resource) -> pulumi.Output[T]:
    """Return a known value as an output that resolves once the resource is created."""
    both: pulumi.Output[list[Any]] = pulumi.Output.all(value, resource.urn)
    return both.apply(lambda found: found[0])


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an object without those that are None, which a server-side apply would own as null."""
    return {key: value for key, value in fields.items() if value is not None}


def merged(*parts: pulumi.Input[Mapping[str, Any]] | None) -> pulumi.Output[dict[str, str]]:
    """Return labels or annotations merged, the later ones over the earlier."""
    every: pulumi.Output[list[Any]] = pulumi.Output.all(*(part for part in parts if part is not None))
    return every.apply(lambda found: {key: text for part in found for key, text in part.items()})


def custom_resource(
    name: str, manifest: dict[str, Any], *, opts: pulumi.ResourceOptions, wait: bool = False
) -> CustomResource:
    """Create the object of a manifest; with ``wait`` it counts as created once its condition Ready is true.

    ``manifest`` is ``{apiVersion, kind, metadata, spec}``; values may be Pulumi outputs.
    """
    metadata = dict(manifest["metadata"])
    if wait:
        metadata["annotations"] = merged(metadata.get("annotations"), {"pulumi.com/waitFor": "condition=Ready"})
    return CustomResource(
        name,
        api_version=manifest["apiVersion"],
        kind=manifest["kind"],
        metadata=metadata,
        spec=manifest["spec"],
        opts=opts,
    )


def create_all(name: str, manifests: Iterable[dict[str, Any]], parent: pulumi.Resource) -> list[str]:
    """Create the objects of manifests whose names and namespaces are plain text.

    Returns what was created, each as ``kind/namespace/name``.
    """
    created = []
    for manifest in manifests:
        kind, metadata = manifest["kind"], manifest["metadata"]
        child = f"{name}-{kind.lower()}-{metadata['namespace']}-{metadata['name']}"
        policy(child, manifest, opts=pulumi.ResourceOptions(parent=parent))
        created.append(f"{kind}/{metadata['namespace']}/{metadata['name']}")
    return created


def policy(name: str, manifest: dict[str, Any], *, opts: pulumi.ResourceOptions) -> None:
    """Create a NetworkPolicy, or a resource of Istio's, from its manifest."""
    if manifest["kind"] == "NetworkPolicy":
        NetworkPolicy(name, metadata=manifest["metadata"], spec=manifest["spec"], opts=opts)
    else:
        custom_resource(name, manifest, opts=opts)


def timeouts(duration: str | None) -> pulumi.CustomTimeouts:
    """Return the same time limit, a Go duration such as ``90s`` (five minutes if None), for each operation."""
    duration = duration or "5m"
    return pulumi.CustomTimeouts(create=duration, update=duration, delete=duration)


def await_annotations(wait: bool) -> dict[str, str]:
    """Return the annotations of a Deployment or Service that tell whether to wait until it is ready."""
    return {} if wait else {"pulumi.com/skipAwait": "true"}


def deprecated(component: pulumi.Resource, old: str, new: str) -> None:
    """Log that an input is deprecated."""
    pulumi.log.warn(f"the input {old} is deprecated and will be removed in the next release; use {new}", component)

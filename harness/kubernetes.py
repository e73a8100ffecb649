"""How Pulumi's Kubernetes provider processes inputs without a cluster: generated names, secrets, replacements.

Source: pulumi-kubernetes, ``provider/pkg/provider`` and ``provider/pkg/metadata``. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from harness.values import Properties, Secret, alike, has_unknown, reveal, secret, to_plain

AUTONAMED: Final = "pulumi.com/autonamed"
"""The annotation of an object whose name was generated."""

_LONGEST: Final = 54
"""Characters of a resource's name in a generated one, which is a DNS label."""
_UNTYPED: Final = ("core/Secret", "apiextensions.k8s.io/CustomResourceDefinition")
"""Objects of Kubernetes' own that the provider takes as they are, by group and kind."""
_OTHERS: Final = ("kustomize", "yaml", "helm.sh", "provider")
"""Modules of types that are no single object."""

_IMMUTABLE: Final[dict[str, tuple[str, ...]]] = {
    "core/ConfigMap": ("data", "binaryData", "immutable"),
    "core/Secret": ("data", "stringData", "type", "immutable"),
    "core/Service": ("spec.clusterIP",),
    "core/ResourceQuota": ("spec.scopes",),
    "core/PersistentVolumeClaim": (
        "spec.accessModes",
        "spec.dataSource",
        "spec.dataSourceRef",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeMode",
        "spec.volumeName",
    ),
    "core/PersistentVolume": ("spec.csi", "spec.hostPath", "spec.local", "spec.nfs", "spec.volumeMode"),
    "apps/DaemonSet": ("spec.selector",),
    "apps/Deployment": ("spec.selector",),
    "apps/ReplicaSet": ("spec.selector",),
    "apps/StatefulSet": (
        "spec.podManagementPolicy",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    "batch/Job": ("spec.completionMode", "spec.completions", "spec.selector", "spec.template"),
    "networking.k8s.io/IngressClass": ("spec.controller",),
    "rbac.authorization.k8s.io/ClusterRoleBinding": ("roleRef",),
    "rbac.authorization.k8s.io/RoleBinding": ("roleRef",),
    "scheduling.k8s.io/PriorityClass": ("value", "preemptionPolicy"),
    "storage.k8s.io/StorageClass": ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
}
"""Fields whose change replaces the object, by group and kind."""


def _identity(type_token: str) -> tuple[str, str, str]:
    """Return (group, apiVersion, kind) of a type such as ``kubernetes:apps/v1:Deployment``; empty for other types."""
    _, module, kind = type_token.split(":", 2)
    group, _, version = module.partition("/")
    if not version or group in _OTHERS or kind.endswith("List"):
        return "", "", ""
    return group, version if group == "core" else module, kind


def checked(urn: str, type_token: str, name: str, inputs: Properties) -> Properties:
    """Return an object's inputs with apiVersion, kind, and a name if it has none, and no empty labels and annotations.

    A generated name depends on the URN and on what the object cannot change in place, so that it stays for as long as
    the object is not replaced.
    """
    group, api_version, kind = _identity(type_token)
    metadata = inputs.get("metadata", {})
    if not group or not isinstance(metadata, dict | None):
        return inputs
    if metadata and _is_typed(group, kind) and not has_unknown(inputs):
        metadata = {key: value for key, value in metadata.items() if value or key not in ("annotations", "labels")}
        inputs = {**inputs, "metadata": metadata}
    result: Properties = {"apiVersion": api_version, "kind": kind.removesuffix("Patch"), **inputs}
    if type_token == "kubernetes:core/v1:Secret":  # noqa: S105 a type
        result |= {key: secret(result[key]) for key in ("data", "stringData") if key in result}
    if not (metadata or {}).get("name") and not kind.endswith("Patch"):
        frozen = [at(reveal(inputs), path) for path in _IMMUTABLE.get(f"{group}/{kind}", ())]
        content = json.dumps(to_plain(frozen, lambda inner: {"value": inner}), sort_keys=True, default=str)
        digest = hashlib.sha256(f"{urn} {content}".encode()).hexdigest()
        annotations = {**((metadata or {}).get("annotations") or {}), AUTONAMED: "true"}
        generated = f"{name[:_LONGEST]}-{digest[:8]}"
        result["metadata"] = {**(metadata or {}), "name": generated, "annotations": annotations}
    return result


def _is_typed(group: str, kind: str) -> bool:
    """Tell whether the provider converts an object to Kubernetes' own type and back, which drops empty fields."""
    own = "." not in group or group.endswith(".k8s.io")
    return own and f"{group}/{kind}" not in _UNTYPED


def generated_name(inputs: Properties) -> str | None:
    """Return the name of an object if it was generated."""
    metadata = inputs.get("metadata")
    if not isinstance(metadata, dict) or at(metadata, "annotations", AUTONAMED) != "true":
        return None
    return str(metadata["name"])


def replacing(type_token: str, before: Properties, after: Properties) -> Iterator[str]:
    """Yield the fields whose change replaces an object. A generated name replaces none."""
    group, _, kind = _identity(type_token)
    fields = ["kind", "metadata.namespace", *_IMMUTABLE.get(f"{group}/{kind}", ())]
    if not (generated_name(before) and generated_name(after)):
        fields.append("metadata.name")
    yield from (field for field in fields if not alike(at(before, field), at(after, field)))


def at(value: Any, *path: str) -> Any:
    """Return the value at a path of keys, None if it does not exist; a single key may be a path with dots."""
    for key in path[0].split(".") if len(path) == 1 else path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Return a value with its generated names replaced."""
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, dict):
        return {key: renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, names) for item in value]
    return Secret(renamed(value.value, names)) if isinstance(value, Secret) else value

"""Kubernetes objects as property values: identity, names, what cannot change in place. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from lab.engine.plan import changed_paths
from lab.engine.provider import Diff, ProviderError
from lab.engine.values import Properties

AUTONAMED: Final = "pulumi.com/autonamed"
SKIP_AWAIT: Final = "pulumi.com/skipAwait"
WAIT_FOR: Final = "pulumi.com/waitFor"
TIMEOUT_SECONDS: Final = "pulumi.com/timeoutSeconds"
PATCH_FORCE: Final = "pulumi.com/patchForce"

_CLUSTER_SCOPED: Final = frozenset(
    {
        ("", "ComponentStatus"),
        ("", "Namespace"),
        ("", "Node"),
        ("", "PersistentVolume"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("certificates.k8s.io", "ClusterTrustBundle"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("networking.k8s.io", "IPAddress"),
        ("networking.k8s.io", "IngressClass"),
        ("networking.k8s.io", "ServiceCIDR"),
        ("node.k8s.io", "RuntimeClass"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("resource.k8s.io", "DeviceClass"),
        ("resource.k8s.io", "ResourceSlice"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "CSINode"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttachment"),
        ("storage.k8s.io", "VolumeAttributesClass"),
    }
)

_IMMUTABLE: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("", "ConfigMap"): ("data", "binaryData", "immutable"),
    ("", "Secret"): ("data", "stringData", "type", "immutable"),
    ("", "Service"): ("spec.clusterIP",),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "PersistentVolumeClaim"): (
        "spec.accessModes",
        "spec.dataSource",
        "spec.dataSourceRef",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeMode",
        "spec.volumeName",
    ),
    ("", "PersistentVolume"): ("spec.csi", "spec.hostPath", "spec.local", "spec.nfs", "spec.volumeMode"),
    ("apps", "DaemonSet"): ("spec.selector",),
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "ReplicaSet"): ("spec.selector",),
    ("apps", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch", "Job"): ("spec.completionMode", "spec.completions", "spec.selector", "spec.template"),
    ("networking.k8s.io", "IngressClass"): ("spec.controller",),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("scheduling.k8s.io", "PriorityClass"): ("value", "preemptionPolicy"),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
}
"""Fields whose change replaces the object. Source: the tables of pulumi-kubernetes (``provider/diff.go``),
without what Kubernetes has come to change in place since; what is missing the server's dry run finds out."""


@dataclass(frozen=True)
class Reference:
    """Which object is meant; ``namespace`` is empty for one of the whole cluster."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return group_of(self.api_version)

    @property
    def id(self) -> str:
        """The id in the state: ``namespace/name`` or ``name``."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def __str__(self) -> str:
        """Name it for a message."""
        return f"{self.kind} {self.id}"


def reference(thing: Properties) -> Reference:
    """Return which object the properties describe."""
    metadata = thing.get("metadata") or {}
    return Reference(thing["apiVersion"], thing["kind"], metadata.get("namespace") or "", metadata.get("name") or "")


def nothing_of(target: Reference) -> Properties:
    """Return what is applied to give up every field of an object."""
    metadata = {"name": target.name} | ({"namespace": target.namespace} if target.namespace else {})
    return {"apiVersion": target.api_version, "kind": target.kind, "metadata": metadata}


def group_of(api_version: str) -> str:
    """Return the API group of ``group/version``; empty for the core group."""
    return api_version.rpartition("/")[0]


def is_builtin(group: str) -> bool:
    """Tell whether Kubernetes itself serves the group."""
    return "." not in group or group.endswith(".k8s.io")


def is_namespaced(api_version: str, kind: str) -> bool:
    """Tell whether objects of the kind live in a namespace; custom resources are taken to."""
    return (group_of(api_version), kind) not in _CLUSTER_SCOPED


def type_token(api_version: str, kind: str) -> str:
    """Return Pulumi's type token of a kind."""
    return f"kubernetes:{api_version if '/' in api_version else f'core/{api_version}'}:{kind}"


def identify(token: str, inputs: Properties) -> tuple[str, str]:
    """Return apiVersion and kind.

    A patch is of the kind that it patches.

    :raises ProviderError: if the type is none of one object, such as a list or a Helm release.
    """
    _, module, kind = token.split(":", 2)
    group = group_of(module)
    api_version = inputs.get("apiVersion") or module.removeprefix("core/")
    actual = inputs.get("kind") or kind
    plural = kind.endswith("List") and (is_builtin(group) or actual != kind)
    patched_kind = kind.removesuffix("Patch")
    if kind != patched_kind and is_builtin(group):
        actual = patched_kind
    if group in {"helm.sh", "yaml", "kustomize"} or "/" not in module or plural:
        raise ProviderError(
            f"{token} is not supported: this engine's kubernetes package has single objects and"
            " kubernetes:helm.sh/v4:Chart"
        )
    return api_version, actual


def is_patch(token: str) -> bool:
    """Tell whether a type stands for some fields of an object that another owner has."""
    _, module, kind = token.split(":", 2)
    return kind.endswith("Patch") and is_builtin(group_of(module))


def complete(urn: str, token: str, name: str, inputs: Properties, old: Properties | None, namespace: str) -> Properties:
    """Fill in apiVersion, kind, the namespace and a generated name; one generated before is kept.

    A status is left out: it is the server's to write.

    :param name: the resource's name, which a generated name starts with.
    :param namespace: where objects go that name none.
    :raises ProviderError: if the inputs are refused.
    """
    api_version, kind = identify(token, inputs)
    metadata = inputs.get("metadata")
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict):
        return {**inputs, "apiVersion": api_version, "kind": kind}
    if metadata.get("generateName"):
        raise ProviderError(f"{kind} {name}: metadata.generateName is not supported; leave it out: {AUTONAMING}")
    metadata = dict(metadata)
    if metadata.get("namespace") is None and is_builtin(group_of(api_version)) and is_namespaced(api_version, kind):
        metadata["namespace"] = namespace
    if metadata.get("name") is None:
        before = (old or {}).get("metadata") or {}
        kept = before.get("name") if is_autonamed(old) else None
        metadata = _with_generated_name(metadata, kept or generated_name(name, urn))
    given = {key: value for key, value in inputs.items() if key != "status"}
    return {**given, "apiVersion": api_version, "kind": kind, "metadata": metadata}


AUTONAMING: Final = "an object without metadata.name gets a name of its own"


def rename(urn: str, name: str, old: Properties, inputs: Properties) -> Properties:
    """Return the inputs with the next generated name, if the name is a generated one."""
    if not is_autonamed(inputs):
        return inputs
    replaced = old["metadata"]["name"]
    return {
        **inputs,
        "metadata": _with_generated_name(inputs["metadata"], generated_name(name, f"{urn}:{replaced}")),
    }


def generated_name(name: str, seed: str) -> str:
    """Return the name with eight hexadecimal digits that depend on the seed; no longer than a DNS label."""
    return f"{name[:54]}-{hashlib.sha256(seed.encode()).hexdigest()[:8]}"


def _with_generated_name(metadata: Properties, name: str) -> Properties:
    return {
        **metadata,
        "name": name,
        "annotations": {**(metadata.get("annotations") or {}), AUTONAMED: "true"},
    }


def annotation(thing: Properties | None, key: str) -> str | None:
    """Return an annotation's value."""
    metadata = (thing or {}).get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    value = annotations.get(key) if isinstance(annotations, dict) else None
    return value if isinstance(value, str) else None


def is_autonamed(inputs: Properties | None) -> bool:
    """Tell whether the name was generated."""
    return annotation(inputs, AUTONAMED) == "true"


def diff(old: Properties, new: Properties) -> Diff:
    """Compare old and new inputs."""
    paths = changed_paths(old, new)
    if not paths:
        return Diff()
    key = (group_of(new["apiVersion"]), new["kind"])
    frozen = ["kind", "metadata.name", "metadata.namespace", *_IMMUTABLE.get(key, ())]
    if group_of(old.get("apiVersion", "")) != key[0]:
        frozen.append("apiVersion")
    changed = [field for field in frozen if _at(old, field) != _at(new, field)]
    replaced = tuple(path for path in paths if any(_overlap(path, field) for field in changed))
    moved = any(field in changed for field in ("kind", "metadata.name", "metadata.namespace", "apiVersion"))
    return Diff(tuple(paths), replaced, bool(replaced) and not moved and not is_autonamed(new))


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _overlap(path: str, field: str) -> bool:
    longer, shorter = (path, field) if len(path) > len(field) else (field, path)
    return longer.startswith(shorter) and longer[len(shorter) : len(shorter) + 1] in ("", ".", "[")


def to_apply(inputs: Properties) -> Properties:
    """Return the object to send: without nulls, a Secret's ``stringData`` as the ``data`` that it stands for.

    The server keeps ``stringData`` as ``data`` and knows no owner for it, so that a key taken out would stay.
    """
    sent: Properties = _without_nulls(inputs)
    if sent["kind"] == "Secret" and sent["apiVersion"] == "v1" and sent.get("stringData"):
        plain = sent.pop("stringData")
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
        sent["data"] = {**(sent.get("data") or {}), **encoded}
    return sent


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def to_outputs(live: Properties, inputs: Properties) -> Properties:
    """Return the outputs of a live object: all but who manages which field."""
    metadata = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    outputs = {**live, "metadata": metadata}
    if inputs.get("stringData") and live["kind"] == "Secret":
        outputs["stringData"] = inputs["stringData"]
    return outputs


_ALLOCATED: Final = ("clusterIP", "clusterIPs", "healthCheckNodePort")
_ASSIGNED: Final = ("creationTimestamp", "generation", "resourceVersion", "uid", "managedFields")


def to_foreseen(dry_run: Properties, inputs: Properties) -> Properties:
    """Return the outputs of an object that only a dry run made: without what the update will assign anew."""
    metadata = {key: value for key, value in dry_run["metadata"].items() if key not in _ASSIGNED}
    outputs = {**to_outputs(dry_run, inputs), "metadata": metadata}
    outputs.pop("status", None)
    if dry_run["kind"] == "Service" and isinstance(dry_run.get("spec"), dict):
        given = inputs.get("spec") or {}
        spec = {key: value for key, value in dry_run["spec"].items() if key not in _ALLOCATED or key in given}
        spec["ports"] = given.get("ports", [])
        outputs["spec"] = spec
    return outputs


def live_inputs(inputs: Properties, live: Properties) -> Properties:
    """Return what the inputs would have to be for the live object: only fields that the inputs have.

    Without inputs, as for an object that is only read, everything but the status and what the server assigns.
    """
    if not inputs:
        metadata = {key: value for key, value in live["metadata"].items() if key not in _ASSIGNED}
        return {**{key: value for key, value in live.items() if key != "status"}, "metadata": metadata}
    found: Properties = _fill(inputs, live)
    if inputs.get("stringData") and live["kind"] == "Secret":
        data = live.get("data") or {}
        found["stringData"] = {key: _decoded(data[key]) for key in inputs["stringData"] if key in data}
    return found


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value).decode()
    except (binascii.Error, UnicodeDecodeError):
        return value


def _fill(wanted: Any, live: Any) -> Any:
    if isinstance(wanted, dict) and isinstance(live, dict):
        return {
            key: _fill(value, live[key]) if key in live else value
            for key, value in wanted.items()
            if key in live or not value
        }
    if isinstance(wanted, list) and isinstance(live, list):
        if _named(wanted) and _named(live):
            by_name = {item["name"]: item for item in live}
            return [_fill(item, by_name[item["name"]]) for item in wanted if item["name"] in by_name]
        if len(wanted) == len(live):
            return [_fill(item, other) for item, other in zip(wanted, live, strict=True)]
        return live
    return wanted if _same(wanted, live) else live


def _named(items: list[Any]) -> bool:
    return bool(items) and all(isinstance(item, dict) and "name" in item for item in items)


_QUANTITY: Final = re.compile(r"([+-]?\d+(?:\.\d+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_SUFFIXES: Final = {
    "m": Decimal("0.001"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("", "k", "M", "G", "T", "P", "E"))},
    **{
        f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate(("", "K", "M", "G", "T", "P", "E")) if power
    },
}


def _same(wanted: Any, live: Any) -> bool:
    """Tell whether two leaves are equal; the server writes quantities its own way (1024Mi as 1Gi)."""
    if wanted == live:
        return True
    if isinstance(live, str) and isinstance(wanted, str | int | float) and not isinstance(wanted, bool):
        left, right = _QUANTITY.fullmatch(str(wanted)), _QUANTITY.fullmatch(live)
        if left and right and (left[2] or right[2] or not isinstance(wanted, str)):
            return Decimal(left[1]) * _SUFFIXES[left[2] or ""] == Decimal(right[1]) * _SUFFIXES[right[2] or ""]
    return False

"""What runs, and with what rights.

Pods of a chart, and those that an operator makes, are their publishers' business; only that the images that a stack
names for them are pinned is asked of all. The other rules are about the workloads that the program itself declares.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from guardrails.pod import PASSING, WORKLOADS, containers, operated_images, template
from guardrails.registered import Resource, at, each, of_kind
from guardrails.rule import Violation, resource_rule, stack_rule

_INJECTED = "auto"
"""Image of a container that Istio's webhook fills in with its own version's (chart ``gateway``)."""

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_TAG = re.compile(r":(?P<tag>[\w][\w.-]*)$")


def _where(resource: Resource, container: Any = None) -> str:
    where = f"{resource.kind.rpartition('/')[2]} {resource.namespace}/{resource.name}"
    return where if container is None else f"{where}, container {at(container, 'name')}"


def _is_own(resource: Resource) -> bool:
    return resource.kind in WORKLOADS and not resource.from_chart


@resource_rule(
    "image-pinned",
    reason="An image without a fixed version can change without a review.",
    fix="Use a tag other than latest, or better a digest (@sha256:...).",
)
def image_pinned(resource: Resource) -> Iterator[str]:
    """Every image has a tag that is not ``latest``, or a digest."""
    for container in containers(resource):
        image = str(at(container, "image"))
        if not _is_pinned(image) and not (image == _INJECTED and resource.from_chart):
            yield f"{_where(resource, container)} has the image {image}"
    for part, image in operated_images(resource):
        if not _is_pinned(str(image)):
            yield f"{_where(resource)}, {part} has the image {image}"


def _is_pinned(image: str) -> bool:
    tag = _TAG.search(image)
    return bool(_DIGEST.search(image) or (tag and tag["tag"] != "latest"))


@stack_rule(
    "own-service-account",
    reason="The service account is the identity in the mesh: workloads that share it share their rights.",
    fix="Set serviceAccountName to a ServiceAccount that no other workload uses.",
)
def own_service_account(resources: Sequence[Resource]) -> Iterator[Violation]:
    """Every workload has a service account that is not ``default`` and that no other has."""
    users: dict[tuple[str, str], list[Resource]] = defaultdict(list)
    for resource in of_kind(resources, *WORKLOADS):
        account = at(template(resource), "spec", "serviceAccountName") or "default"
        users[resource.namespace, account].append(resource)
    for (_, account), sharing in users.items():
        for resource in sharing:
            if resource.from_chart:
                continue
            if account == "default":
                yield Violation(f"{_where(resource)} runs as the service account default", resource.urn)
            elif len(sharing) > 1:
                others = ", ".join(sorted(other.name for other in sharing if other is not resource))
                yield Violation(f"{_where(resource)} shares the service account {account} with {others}", resource.urn)


@resource_rule(
    "limits",
    reason="A container without limits can starve its node; one without requests is scheduled on any node.",
    fix="Set resources.requests and resources.limits for cpu and memory.",
)
def limits(resource: Resource) -> Iterator[str]:
    """Every container has requests and limits for cpu and memory."""
    for container in containers(resource) if _is_own(resource) else ():
        for kind in ("requests", "limits"):
            for what in ("cpu", "memory"):
                if not at(container, "resources", kind, what):
                    yield f"{_where(resource, container)} has no {kind} for {what}"


@resource_rule(
    "probes",
    reason="Without probes, a workload that hangs or is not ready still receives calls.",
    fix="Set livenessProbe and readinessProbe.",
)
def probes(resource: Resource) -> Iterator[str]:
    """Every container that stays says whether it is alive and ready."""
    if not _is_own(resource) or resource.kind in PASSING:
        return
    for container in containers(resource, initial=False):
        for probe in ("livenessProbe", "readinessProbe"):
            if not at(container, probe):
                yield f"{_where(resource, container)} has no {probe}"


@resource_rule(
    "restricted",
    reason="An intruder in a workload has the workload's rights on its node.",
    fix="Set the security context that the Pod Security Standard `restricted` requires, and readOnlyRootFilesystem.",
)
def restricted(resource: Resource) -> Iterator[str]:
    """Every pod meets the Pod Security Standard ``restricted``, with a read-only root file system on top.

    The standard: kubernetes.io/docs/concepts/security/pod-security-standards.
    """
    if not _is_own(resource):
        return
    spec = at(template(resource), "spec")
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if at(spec, key):
            yield f"{_where(resource)} has {key}"
    for volume in each(spec, "volumes"):
        if at(volume, "hostPath"):
            yield f"{_where(resource)} has the hostPath volume {at(volume, 'name')}"
    for container in containers(resource):
        faults = _container_faults(container, at(spec, "securityContext"))
        yield from (f"{_where(resource, container)} {fault}" for fault in faults)


def _container_faults(container: Any, pod: Any) -> Iterator[str]:
    own = at(container, "securityContext")

    def effective(*path: str) -> Any:
        found = at(own, *path)
        return at(pod, *path) if found is None else found

    if effective("runAsNonRoot") is not True:
        yield "may run as root (runAsNonRoot)"
    if effective("runAsUser") == 0:
        yield "runs as user 0 (runAsUser)"
    if effective("seccompProfile", "type") not in ("RuntimeDefault", "Localhost"):
        yield "has no seccompProfile"
    if at(own, "privileged"):
        yield "is privileged"
    if at(own, "allowPrivilegeEscalation") is not False:
        yield "may gain rights (allowPrivilegeEscalation)"
    if "ALL" not in each(own, "capabilities", "drop"):
        yield "keeps capabilities (capabilities.drop)"
    for capability in each(own, "capabilities", "add"):
        if capability != "NET_BIND_SERVICE":
            yield f"adds the capability {capability}"
    if at(own, "readOnlyRootFilesystem") is not True:
        yield "may write its root file system (readOnlyRootFilesystem)"
    for port in each(container, "ports"):
        if at(port, "hostPort"):
            yield f"takes the node's port {int(at(port, 'hostPort'))} (hostPort)"

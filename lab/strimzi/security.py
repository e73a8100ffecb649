"""Security contexts, as Strimzi's Pod security providers ``baseline`` and ``restricted`` give them.

Source: BaselinePodSecurityProvider and RestrictedPodSecurityProvider in io.strimzi:api 1.2.0.
"""

from __future__ import annotations

from typing import Any, Final

from lab.strimzi.cluster import Cluster, Pool
from lab.strimzi.specification import ContainerTemplate

_PROVIDERS: Final = "io.strimzi.plugin.security.profiles.impl"
RESTRICTED: Final = {
    "baseline": False,
    f"{_PROVIDERS}.BaselinePodSecurityProvider": False,
    "restricted": True,
    f"{_PROVIDERS}.RestrictedPodSecurityProvider": True,
}
"""Whether a value of STRIMZI_POD_SECURITY_PROVIDER_CLASS stands for the restricted one."""


def container(cluster: Cluster, template: ContainerTemplate | None) -> dict[str, Any]:
    """Return what a container has of it: the template's, else the provider's; empty for none."""
    if template and template.security_context is not None:
        return {"securityContext": template.security_context}
    if not cluster.restricted:
        return {}
    context = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {"securityContext": context}


def pod(pool: Pool, given: dict[str, Any] | None) -> dict[str, Any]:
    """Return what a node's Pod has of it: the template's, else the group of its volumes where they outlive it."""
    if given is not None:
        return given
    return {"fsGroup": 0} if pool.is_persistent else {}

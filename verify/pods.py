"""The manifests of a proof's temporary objects. Pure."""

from __future__ import annotations

from typing import Any

from verify.cases import Kind, Source
from verify.inside.connections import SIDECAR_USER

Manifest = dict[str, Any]

LABEL = "kafka-on-istio/verify"
"""Label of all that is made, with the run's name."""

CONTAINER = "probe"
"""The container of a probe's pod."""

_USER = 10001
_SECONDS = 900
_WAIT = f"import signal as s; s.pthread_sigmask(s.SIG_BLOCK, {{s.SIGTERM}}); s.sigtimedwait({{s.SIGTERM}}, {_SECONDS})"
"""Wait for a signal to end; the first process of a container gets only those that it blocks or handles."""


def user(number: int, *capabilities: str) -> Manifest:
    """Return the security context of a container that runs as a user, with no capabilities but these."""
    return {
        "runAsUser": number,
        "runAsGroup": number,
        "runAsNonRoot": number != 0,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], **({"add": [*capabilities]} if capabilities else {})},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


WORKER = user(_USER)
"""Whom connections through a sidecar come from."""

AROUND = user(SIDECAR_USER)
"""Whom connections around a sidecar come from."""

LISTENER = user(0, "NET_RAW")
"""Who may see a pod's packets."""


def ephemeral(name: str, image: str, context: Manifest) -> Manifest:
    """Return an ephemeral container that waits for programs to run in it."""
    return {"name": name, "image": image, "command": ["python3", "-c", _WAIT], "securityContext": context}


def namespace(run: str) -> Manifest:
    """Return the namespace of the probe outside the system's namespaces."""
    labels = {LABEL: run, "istio-injection": "enabled"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"verify-{run}", "labels": labels}}


def account(run: str, where: str) -> Manifest:
    """Return a service account that no policy knows."""
    metadata = {"name": f"verify-{run}", "namespace": where, "labels": {LABEL: run}}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False}


def probe(run: str, source: Source, where: str, image: str) -> Manifest:
    """Return the pod of a probe. It is never ready, so that no Service selects it despite its labels."""
    name = f"verify-{run}-{source.id.rpartition('/')[2]}"
    labels = {**source.like.labels, LABEL: run, "sidecar.istio.io/inject": str(source.kind is not Kind.PLAIN).lower()}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": where, "labels": labels},
        "spec": {
            "serviceAccountName": f"verify-{run}",
            "automountServiceAccountToken": False,
            "activeDeadlineSeconds": _SECONDS,
            "terminationGracePeriodSeconds": 1,
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": CONTAINER,
                    "image": image,
                    "command": ["python3", "-c", _WAIT],
                    "securityContext": WORKER,
                    "readinessProbe": {"exec": {"command": ["false"]}, "periodSeconds": 60},
                    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
                }
            ],
        },
    }

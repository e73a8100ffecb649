"""The ``kubernetes`` package: objects by server-side apply, and Helm charts."""

from lab.engine.kubernetes.provider import KubernetesProvider

__all__ = ["KubernetesProvider"]

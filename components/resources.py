"""Compute resources of containers."""

from typing import NotRequired, TypedDict

import pulumi


class ResourcesArgs(TypedDict):
    """Requests and limits of a container, each a Kubernetes quantity by resource, such as ``cpu: 500m``."""

    requests: NotRequired[pulumi.Input[dict[str, str]]]
    """What the container is guaranteed."""
    limits: NotRequired[pulumi.Input[dict[str, str]]]
    """What the container may use at most."""

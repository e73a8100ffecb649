"""A service of the demo application, in all its versions."""

from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.autoscaling.v2 import HorizontalPodAutoscaler
from pulumi_kubernetes.core.v1 import Service, ServiceAccount
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.manifest import await_annotations, timeouts


class DemoServiceVersionArgs(TypedDict):
    """A version of a service."""

    name: str
    """Name of the version's Deployment and service account."""
    labels: pulumi.Input[dict[str, str]]
    """Labels of the version, ``app`` and ``version``."""
    deployment: pulumi.Input[dict[str, Any]]
    """Specification of the Deployment."""
    autoscaler: NotRequired[pulumi.Input[dict[str, Any]]]
    """Specification of the HorizontalPodAutoscaler; left out, the number of pods is fixed."""
    disruption_budget: NotRequired[pulumi.Input[dict[str, Any]]]
    """Specification of the PodDisruptionBudget; left out, all pods may be evicted at once."""


class DemoServiceArgs(TypedDict):
    """What a DemoService needs."""

    namespace: pulumi.Input[str]
    """Namespace of the application."""
    service_name: str
    """Name of the service."""
    service: pulumi.Input[dict[str, Any]]
    """Specification of the Service."""
    versions: list[DemoServiceVersionArgs]
    """The service's versions."""
    wait: NotRequired[bool]
    """Whether to wait until the pods are ready; true by default."""
    timeout: NotRequired[str]
    """How long to wait for a Deployment, as a Go duration; ``5m`` by default."""


class DemoService(pulumi.ComponentResource):
    """One Service, and per version a Deployment that runs under an account of its own."""

    service_name: pulumi.Output[str]
    """Name of the service."""

    def __init__(self, name: str, args: DemoServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kafka-on-istio:index:DemoService", name, dict(args), opts)
        annotations = await_annotations(args.get("wait", True))
        below = pulumi.ResourceOptions(parent=self)
        for version in args["versions"]:
            account = ServiceAccount(
                f"{name}-{version['name']}-account",
                metadata={
                    "name": version["name"],
                    "namespace": args["namespace"],
                    "labels": version["labels"],
                },
                automount_service_account_token=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
            deployment: Any = version["deployment"]
            Deployment(
                f"{name}-{version['name']}",
                metadata={
                    "name": version["name"],
                    "namespace": args["namespace"],
                    "labels": version["labels"],
                    "annotations": annotations,
                },
                spec=deployment,
                opts=pulumi.ResourceOptions(
                    parent=self, depends_on=[account], custom_timeouts=timeouts(args.get("timeout"))
                ),
            )
            metadata: Any = {"name": version["name"], "namespace": args["namespace"], "labels": version["labels"]}
            if "autoscaler" in version:
                autoscaler: Any = version["autoscaler"]
                HorizontalPodAutoscaler(
                    f"{name}-{version['name']}-autoscaler",
                    metadata=metadata | {"annotations": annotations},
                    spec=autoscaler,
                    opts=below,
                )
            if "disruption_budget" in version:
                budget: Any = version["disruption_budget"]
                PodDisruptionBudget(
                    f"{name}-{version['name']}-disruption-budget", metadata=metadata, spec=budget, opts=below
                )
        # The Deployments are awaited; awaiting the Service's endpoints as well takes the provider ten seconds more.
        service: Any = args["service"]
        Service(
            f"{name}-service",
            metadata={
                "name": args["service_name"],
                "namespace": args["namespace"],
                "labels": {"app": args["service_name"]},
                "annotations": await_annotations(wait=False),
            },
            spec=service,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.service_name = pulumi.Output.from_input(args["service_name"])
        self.register_outputs({"serviceName": self.service_name})

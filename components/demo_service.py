"""A service of the demo application, in all its versions."""

from collections.abc import Iterator
from typing import Any, Final, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment, DeploymentSpecArgsDict
from pulumi_kubernetes.autoscaling.v2 import HorizontalPodAutoscaler, HorizontalPodAutoscalerSpecArgsDict
from pulumi_kubernetes.core.v1 import (
    ContainerArgsDict,
    EnvVarArgsDict,
    PodSecurityContextArgsDict,
    PodSpecArgsDict,
    ProbeArgsDict,
    ResourceRequirementsArgsDict,
    Service,
    ServiceAccount,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from kafka_on_istio import names
from kafka_on_istio.environment import environment
from kafka_on_istio.settings import application
from kafka_on_istio.settings.cluster import Platform
from kafka_on_istio.settings.settings import Settings

from .kafka_credentials import KafkaLogin, kafka_environment
from .manifest import await_annotations, deprecated, timeouts
from .resources import ResourcesArgs
from .validation import check

_USER: Final = 10001
"""User and group id of the services, as in their image."""


class AutoscalingArgs(TypedDict):
    """Bounds on the pods of a version, and their target CPU utilization."""

    min_replicas: int
    """Fewest pods."""
    max_replicas: int
    """Most pods; equal to ``min_replicas`` for a fixed number."""
    cpu_percent: NotRequired[int]
    """Target CPU utilization in percent of the request; 80 by default."""


class DemoServiceVersionArgs(TypedDict):
    """A version of a service."""

    name: str
    """Name of the version's Deployment and service account."""
    version: NotRequired[str]
    """Value of the label ``version``; ``name`` by default."""
    environment: NotRequired[dict[str, pulumi.Input[str]]]
    """Environment of the container, without the Kafka credentials."""
    labels: NotRequired[pulumi.Input[dict[str, str]]]
    """Deprecated: use ``version``. Labels of the version, ``app`` and ``version``."""
    deployment: NotRequired[pulumi.Input[dict[str, Any]]]
    """Deprecated: use the service's ``image`` and what follows it. Spec of the Deployment."""
    autoscaler: NotRequired[pulumi.Input[dict[str, Any]]]
    """Deprecated: use the service's ``autoscaling``. Spec of the HorizontalPodAutoscaler."""
    disruption_budget: NotRequired[pulumi.Input[dict[str, Any]]]
    """Deprecated: use the service's ``autoscaling``. Spec of the PodDisruptionBudget."""


class DemoServiceArgs(TypedDict):
    """Arguments of a DemoService."""

    namespace: pulumi.Input[str]
    """Namespace of the application."""
    service_name: str
    """Name of the service."""
    image: NotRequired[pulumi.Input[str]]
    """Image of the container, with tag or digest; required unless each version has ``deployment``."""
    program: NotRequired[pulumi.Input[str]]
    """Argument of the image, the program to run; ``service_name`` by default."""
    port: NotRequired[int]
    """Port of the container, with ``/health``, ``/ready`` and ``/metrics``, and of the Service; 8080 by default."""
    credentials: NotRequired[KafkaLogin]
    """How the service logs in to Kafka, as ``KafkaUser.credentials`` returns it; no Kafka if not set."""
    resources: NotRequired[ResourcesArgs]
    """Requests and limits of the container."""
    autoscaling: NotRequired[AutoscalingArgs]
    """Number of pods of each version; one by default."""
    strategy: NotRequired[pulumi.Input[str]]
    """How a Deployment replaces its pods, ``RollingUpdate`` or ``Recreate``; ``RollingUpdate`` by default."""
    user_id: NotRequired[pulumi.Input[int]]
    """User and group id of the container; the image's or, on OpenShift, the namespace's if not set."""
    topology_key: NotRequired[str]
    """Label of the cluster's nodes across whose values pods are spread; not spread if not set."""
    service: NotRequired[pulumi.Input[dict[str, Any]]]
    """Deprecated: use ``port``. Spec of the Service."""
    versions: list[DemoServiceVersionArgs]
    """The service's versions."""
    wait: NotRequired[bool]
    """Whether to wait until the pods are ready; true by default."""
    timeout: NotRequired[str]
    """How long to wait for a Deployment, as a Go duration; ``5m`` by default."""


class DemoService(pulumi.ComponentResource):
    """One Service, and per version a Deployment with a service account of its own."""

    service_name: pulumi.Output[str]
    """Name of the service."""

    def __init__(self, name: str, args: DemoServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(f"DemoService {name}", args, DemoServiceArgs, _faults(args))
        super().__init__("kafka-on-istio:index:DemoService", name, dict(args), opts)
        for version in args["versions"]:
            self._create_version(f"{name}-{version['name']}", args, version)
        service: Any = args.get("service") or {
            "selector": {"app": args["service_name"]},
            "ports": [
                {"name": "http", "port": args.get("port", names.SERVICE_PORT), "target_port": "http", "protocol": "TCP"}
            ],
        }
        # The Deployments are awaited; awaiting the Service's endpoints as well takes the provider ten seconds more.
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
        for old, new in (("service", "port"), ("deployment", "image"), ("autoscaler", "autoscaling")):
            if any(old in given for given in (args, *args["versions"])):
                deprecated(self, old, new)
        self.register_outputs({"serviceName": self.service_name})

    def _create_version(self, name: str, args: DemoServiceArgs, version: DemoServiceVersionArgs) -> None:
        labels = version.get("labels") or _labels(args, version)
        metadata: ObjectMetaArgsDict = {"name": version["name"], "namespace": args["namespace"], "labels": labels}
        awaited: ObjectMetaArgsDict = {**metadata, "annotations": await_annotations(args.get("wait", True))}
        below = pulumi.ResourceOptions(parent=self)
        account = ServiceAccount(
            f"{name}-account", metadata=metadata, automount_service_account_token=False, opts=below
        )
        deployment: Any = version.get("deployment") or _deployment(args, version)
        Deployment(
            name,
            metadata=awaited,
            spec=deployment,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[account], custom_timeouts=timeouts(args.get("timeout"))
            ),
        )
        lowest, highest = _bounds(args)
        autoscaler: Any = version.get("autoscaler") or (_autoscaler(args, version) if highest > lowest else None)
        if autoscaler:
            HorizontalPodAutoscaler(f"{name}-autoscaler", metadata=awaited, spec=autoscaler, opts=below)
        # A single pod could not be evicted under a budget.
        budget: Any = version.get("disruption_budget") or (
            {"max_unavailable": 1, "selector": {"match_labels": labels}} if lowest > 1 else None
        )
        if budget:
            PodDisruptionBudget(f"{name}-disruption-budget", metadata=metadata, spec=budget, opts=below)

    @staticmethod
    def declared(settings: Settings, service: application.Service, login: KafkaLogin | None) -> DemoServiceArgs:
        """Return the arguments of a declared service."""
        lowest, highest = settings.pods(service)
        args: DemoServiceArgs = {
            "namespace": settings.application_namespace,
            "service_name": service.name,
            "image": service.image or settings.image,
            "program": service.program or service.name,
            "resources": {"requests": settings.resources.requests, "limits": settings.resources.limits},
            "autoscaling": {
                "min_replicas": lowest,
                "max_replicas": highest,
                "cpu_percent": settings.autoscaling.cpu_percent,
            },
            "strategy": service.strategy.value,
            "versions": [
                {
                    "name": names.workload(service, version),
                    "version": version.name,
                    "environment": {**environment(settings, service, version)},
                }
                for version in service.versions
            ],
            "wait": settings.wait_for_ready,
            "timeout": settings.timeouts.deployment,
        }
        if login:
            args["credentials"] = login
        if settings.topology_key:
            args["topology_key"] = settings.topology_key
        # OpenShift assigns each namespace a range of user ids and refuses all others.
        if settings.platform is not Platform.OPENSHIFT:
            args["user_id"] = _USER
        return args


def _faults(args: DemoServiceArgs) -> Iterator[str]:
    if "image" not in args and any("deployment" not in version for version in args.get("versions", [])):
        yield "image is missing"


def _labels(args: DemoServiceArgs, version: DemoServiceVersionArgs) -> dict[str, str]:
    return names.labels(args["service_name"], version.get("version", version["name"]))


def _bounds(args: DemoServiceArgs) -> tuple[int, int]:
    scaling = args.get("autoscaling")
    return (scaling["min_replicas"], scaling["max_replicas"]) if scaling else (1, 1)


def _deployment(args: DemoServiceArgs, version: DemoServiceVersionArgs) -> DeploymentSpecArgsDict:
    labels = _labels(args, version)
    pod: PodSpecArgsDict = {
        "service_account_name": version["name"],
        "automount_service_account_token": False,
        "security_context": _security(args),
        "termination_grace_period_seconds": 30,
        "containers": [_container(args, version)],
        "volumes": [{"name": "tmp", "empty_dir": {}}],
    }
    if "topology_key" in args:
        pod["topology_spread_constraints"] = [
            {
                "max_skew": 1,
                "topology_key": args["topology_key"],
                "when_unsatisfiable": "ScheduleAnyway",
                "label_selector": {"match_labels": labels},
            }
        ]
    spec: DeploymentSpecArgsDict = {
        "selector": {"match_labels": labels},
        "strategy": {"type": args.get("strategy", "RollingUpdate")},
        "template": {
            "metadata": {"labels": labels, "annotations": names.scraped(args.get("port", names.SERVICE_PORT))},
            "spec": pod,
        },
    }
    lowest, highest = _bounds(args)
    # With scaling the number of pods belongs to the autoscaler.
    if lowest == highest:
        spec["replicas"] = lowest
    return spec


def _security(args: DemoServiceArgs) -> PodSecurityContextArgsDict:
    security: PodSecurityContextArgsDict = {"run_as_non_root": True, "seccomp_profile": {"type": "RuntimeDefault"}}
    if "user_id" in args:
        security["run_as_user"] = args["user_id"]
        security["run_as_group"] = args["user_id"]
    return security


def _container(args: DemoServiceArgs, version: DemoServiceVersionArgs) -> ContainerArgsDict:
    variables: list[EnvVarArgsDict] = [
        {"name": name, "value": value} for name, value in version.get("environment", {}).items()
    ]
    login = kafka_environment(args["credentials"]) if "credentials" in args else []
    return {
        "name": args["service_name"],
        "image": args["image"],
        "args": [args.get("program", args["service_name"])],
        "env": [*variables, *login],
        "ports": [{"name": "http", "container_port": args.get("port", names.SERVICE_PORT), "protocol": "TCP"}],
        "startup_probe": _probe("/health", period_seconds=1, failure_threshold=60),
        "liveness_probe": _probe("/health", period_seconds=10, failure_threshold=3),
        "readiness_probe": _probe("/ready", period_seconds=5, failure_threshold=3),
        "resources": _resources(args.get("resources", {})),
        "security_context": {
            "allow_privilege_escalation": False,
            "read_only_root_filesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volume_mounts": [{"name": "tmp", "mount_path": "/tmp"}],  # noqa: S108
    }


def _resources(args: ResourcesArgs) -> ResourceRequirementsArgsDict:
    resources: ResourceRequirementsArgsDict = {}
    if "requests" in args:
        resources["requests"] = args["requests"]
    if "limits" in args:
        resources["limits"] = args["limits"]
    return resources


def _probe(path: str, period_seconds: int, failure_threshold: int) -> ProbeArgsDict:
    return {
        "http_get": {"path": path, "port": "http"},
        "timeout_seconds": 3,
        "period_seconds": period_seconds,
        "failure_threshold": failure_threshold,
    }


def _autoscaler(args: DemoServiceArgs, version: DemoServiceVersionArgs) -> HorizontalPodAutoscalerSpecArgsDict:
    scaling = args["autoscaling"]
    return {
        "scale_target_ref": {"api_version": "apps/v1", "kind": "Deployment", "name": version["name"]},
        "min_replicas": scaling["min_replicas"],
        "max_replicas": scaling["max_replicas"],
        "metrics": [
            {
                "type": "ContainerResource",
                # Of the service's own container: the sidecar's request would dilute it.
                "container_resource": {
                    "container": args["service_name"],
                    "name": "cpu",
                    "target": {"type": "Utilization", "average_utilization": scaling.get("cpu_percent", 80)},
                },
            }
        ],
    }

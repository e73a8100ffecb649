"""Settings of the stack itself: what it creates, what it builds on, how long it waits."""

from enum import Enum

from kafka_on_istio.settings.values import Duration, Instance, Label, Model, ObjectName, StackName, setting


class Layer(str, Enum):
    """Which part of the system a stack creates."""

    ALL = "all"
    PLATFORM = "platform"
    """Istio, the Strimzi operator and the observability tools."""
    APPLICATION = "application"
    """Kafka and the services, on the platform of another stack."""


class Timeouts(Model):
    """How long to wait for one resource of each kind."""

    chart: Duration
    kafka: Duration
    custom_resource: Duration
    deployment: Duration


class StackSettings(Model):
    """What the stack creates, what it builds on, and how long it waits."""

    layer: Layer = setting(
        default=Layer.ALL,
        description="Which part of the system this stack creates: `all`; `platform`, which is Istio, the Strimzi "
        "operator and the observability tools; or `application`, which is Kafka and the services on the platform "
        "of another stack.",
    )
    platform_stack: StackName = setting(
        default="",
        description="The stack that created the platform, as `organization/project/stack`, for layer "
        "`application` only. Self-managed backends have one organization, named `organization`. Before anything "
        "is created, the settings that both stacks share are compared with the outputs of that stack. Leave empty "
        "if Istio and Strimzi were installed by other means; the settings are then not checked.",
    )
    instance: Instance = setting(
        default="",
        description="Separates this stack from others on the same platform. It is appended to the names of the "
        "Kafka and application namespaces (`kafka-<instance>`), and prepended to the paths at the gateway "
        "(`/<instance>/customer`).",
    )
    wait_for_ready: bool = setting(
        default=True,
        description="Wait until charts, Kafka, topics, users and Deployments are ready before creating what "
        "depends on them.",
    )
    timeouts: Timeouts = setting(
        default={"chart": "10m", "kafka": "15m", "customResource": "5m", "deployment": "5m"},
        description="How long to wait for one resource of each kind, as a Go duration such as `10m` or `90s`.",
    )
    existing_namespaces: list[Label] = setting(
        default=[],
        description="Namespaces of this stack that already exist. They are labelled, and never created or "
        "deleted. `up` fails before it creates anything if another of the stack's namespaces exists, or if one of "
        "these does not.",
    )
    adopt: list[ObjectName] = setting(
        default=[],
        description="Existing cluster-wide objects (CRDs, ClusterRoles, webhooks) that this stack takes over, "
        "each as `Kind/name`; `Kind/*` means all of a kind. `up` fails before it creates anything if an object "
        "that is not listed has another owner.",
    )

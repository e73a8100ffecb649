"""The settings of a stack: one validated object, or one error that lists every fault."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from types import SimpleNamespace
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

NAMESPACE = "kafka-on-istio"
"""The namespace of our keys in Pulumi's configuration."""


class SettingsError(Exception):
    """The configuration is wrong; the message has one line per fault."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        count = f"{len(self.faults)} fault{'s' if len(self.faults) != 1 else ''}"
        super().__init__("\n  ".join([f"the configuration has {count}; nothing was changed:", *self.faults]))


class Platform(str, Enum):
    """What the cluster is."""

    KUBERNETES = "kubernetes"
    OPENSHIFT = "openshift"


class Layer(str, Enum):
    """Which part of the system a stack makes."""

    ALL = "all"
    PLATFORM = "platform"
    """Istio, the Strimzi operator and the observability tools."""
    APPLICATION = "application"
    """Kafka and the services, on a platform that another stack has made."""


class DataPlane(str, Enum):
    """Whether workloads get an Envoy."""

    SIDECAR = "sidecar"
    NONE = "none"


class PodSecurity(str, Enum):
    """Pod Security Standard that Kubernetes enforces in the namespaces that are made."""

    PRIVILEGED = "privileged"
    BASELINE = "baseline"
    RESTRICTED = "restricted"


class Monitoring(str, Enum):
    """Which metrics there are, and who may read them."""

    BASIC = "basic"
    """Those of sidecars and services, read by anyone in the cluster."""
    FULL = "full"
    """Kafka's too, read by Prometheus alone, which warns by rules."""


class KafkaData(str, Enum):
    """What becomes of Kafka's data when the stack goes."""

    DISPOSABLE = "disposable"
    PROTECTED = "protected"


class FailurePolicy(str, Enum):
    """What the API server does when a webhook does not answer."""

    FAIL = "Fail"
    IGNORE = "Ignore"


class ServiceType(str, Enum):
    """How a Service is reached from outside the cluster."""

    LOAD_BALANCER = "LoadBalancer"
    NODE_PORT = "NodePort"
    CLUSTER_IP = "ClusterIP"


class Role(str, Enum):
    """What a Kafka node does in KRaft."""

    CONTROLLER = "controller"
    BROKER = "broker"


class StorageType(str, Enum):
    """Where a Kafka node keeps its data."""

    EPHEMERAL = "ephemeral"
    PERSISTENT = "persistent-claim"


class Method(str, Enum):
    """HTTP methods that a call may be declared with."""

    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


class Protocol(str, Enum):
    """How a host outside the cluster is spoken to."""

    HTTP = "HTTP"
    HTTPS = "HTTPS"
    TCP = "TCP"


class Strategy(str, Enum):
    """How a Deployment replaces its pods."""

    ROLLING_UPDATE = "RollingUpdate"
    RECREATE = "Recreate"


def _matching(pattern: str, longest: int, allowed: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if len(value) > longest or not compiled.fullmatch(value):
            raise ValueError(f"must be {allowed}")
        return value

    return AfterValidator(check)


def _within(lowest: int, highest: int) -> AfterValidator:
    def check(value: int) -> int:
        if not lowest <= value <= highest:
            raise ValueError(f"must be from {lowest} to {highest}")
        return value

    return AfterValidator(check)


_LABEL = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_DNS_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_LABEL_TEXT = "lower-case letters, digits and '-', starting with a letter and not ending with '-'"

Label = Annotated[str, _matching(_LABEL, 63, f"{_LABEL_TEXT}, at most 63 characters (a DNS label)")]
ClusterName = Annotated[
    str, _matching(_LABEL, 40, f"{_LABEL_TEXT}, at most 40 characters (Strimzi derives longer names from it)")
]
PoolName = Annotated[str, _matching(_LABEL, 20, f"{_LABEL_TEXT}, at most 20 characters")]
Instance = Annotated[
    str,
    _matching(
        r"([a-z0-9]([-a-z0-9]*[a-z0-9])?)?",
        20,
        "lower-case letters, digits and '-', not starting or ending with '-', at most 20 characters, or empty",
    ),
]
OptionalDnsName = Annotated[
    str, _matching(rf"({_DNS_NAME})?", 253, "a DNS name (lower-case labels joined by '.'), or empty")
]
OptionalLabelKey = Annotated[
    str,
    _matching(
        rf"(({_DNS_NAME}/)?[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?)?",
        317,
        "the key of a label, such as topology.kubernetes.io/zone, or empty",
    ),
]
OptionalLabel = Annotated[
    str, _matching(rf"({_LABEL})?", 63, f"{_LABEL_TEXT}, at most 63 characters (a DNS label), or empty")
]
WatchedNamespace = Annotated[
    str, _matching(rf"{_LABEL}|\*", 63, f"a namespace ({_LABEL_TEXT}, at most 63 characters), or '*' for all of them")
]
ObjectName = Annotated[
    str,
    _matching(
        r"[A-Z][A-Za-z]*/([a-z0-9][a-z0-9.:-]*|\*)",
        300,
        "kind and name of a cluster-wide object, such as ClusterRole/kiali, or '*' as the name for all of a kind",
    ),
]
StackName = Annotated[
    str,
    _matching(
        r"([\w.-]+/[\w.-]+/[\w.-]+)?",
        300,
        "organization/project/stack, such as organization/kafka-on-istio/platform, or empty",
    ),
]
ServiceName = Annotated[
    str, _matching(_LABEL, 40, f"{_LABEL_TEXT}, at most 40 characters (longer names are derived from it)")
]
VersionName = Annotated[
    str,
    _matching(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", 20, "lower-case letters, digits and '-', at most 20 characters"),
]
DnsName = Annotated[str, _matching(_DNS_NAME, 253, "a DNS name: lower-case labels joined by '.'")]
TopicName = Annotated[
    str,
    _matching(_DNS_NAME, 249, "lower-case letters, digits, '-' and '.' (a KafkaTopic has the topic's name)"),
]
GroupName = Annotated[str, _matching(r"[A-Za-z0-9._-]+", 249, "letters, digits, '.', '_' and '-'")]
Path = Annotated[str, _matching(r"/[A-Za-z0-9/_.~-]*", 2000, "an exact path that starts with '/'")]
Image = Annotated[
    str,
    _matching(
        r"[a-z0-9][a-z0-9._:/-]*(:[\w][\w.-]{0,127}|@sha256:[0-9a-f]{64})",
        500,
        "an image reference with a tag or a digest, such as registry/name:1.0.0",
    ),
]
Duration = Annotated[str, _matching(r"([0-9]+(h|m|s))+", 20, "a duration such as 10m, 90s or 1h30m")]
Cidr = Annotated[
    str,
    _matching(r"[0-9]{1,3}(\.[0-9]{1,3}){3}/([12]?[0-9]|3[0-2])", 18, "an address range such as 10.0.0.0/8"),
]
Quantity = Annotated[str, _matching(r"[0-9]+(\.[0-9]+)?(m|[kMGTPE]i?)?", 20, "a Kubernetes quantity such as 10Gi")]
EnvName = Annotated[
    str, _matching(r"[A-Z_][A-Z0-9_]*", 200, "capital letters, digits and '_' (an environment variable)")
]
KafkaVersion = Annotated[str, _matching(r"[0-9]+\.[0-9]+\.[0-9]+", 20, "a version such as 4.3.1")]
Port = Annotated[int, _within(1, 65535)]
Percentage = Annotated[int, _within(0, 100)]
Count = Annotated[int, _within(1, 100_000)]
Seconds = Annotated[int, _within(1, 86_400)]
Factor = Annotated[int, _within(0, 32_767)]
Positive = Annotated[int, _within(1, 2**62)]


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", use_enum_values=False)


class Timeouts(_Model):
    """How long to wait for one resource of a kind."""

    chart: Duration
    kafka: Duration
    custom_resource: Duration
    deployment: Duration


class Chart(_Model):
    """Where a Helm chart comes from."""

    chart: Annotated[str, Field(min_length=1)]
    repository: str = ""
    version: str = ""


class IstioCharts(_Model):
    """Where Istio's charts come from."""

    repository: str = ""
    version: str = ""
    base: Annotated[str, Field(min_length=1)]
    istiod: Annotated[str, Field(min_length=1)]
    cni: Annotated[str, Field(min_length=1)]
    gateway: Annotated[str, Field(min_length=1)]


class ChartValues(_Model):
    """Values laid over ours, by chart."""

    base: dict[str, Any] = {}
    istiod: dict[str, Any] = {}
    cni: dict[str, Any] = {}
    gateway: dict[str, Any] = {}
    strimzi: dict[str, Any] = {}
    jaeger: dict[str, Any] = {}
    prometheus: dict[str, Any] = {}
    kiali: dict[str, Any] = {}


class Storage(_Model):
    """Where the nodes of a pool keep their data."""

    type: StorageType
    size: Quantity | None = None
    class_: Annotated[str | None, Field(alias="class")] = None
    delete_claim: bool | None = None


class Resources(_Model):
    """Requests and limits of a container."""

    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}


class NodePool(_Model):
    """Kafka nodes that are alike."""

    name: PoolName
    roles: Annotated[list[Role], Field(min_length=1)]
    replicas: Annotated[int, _within(1, 1000)]
    storage: Storage
    resources: Resources | None = None


class Autoscaling(_Model):
    """How many pods a version of a service may have, and which CPU use, in percent of the request, they are held to."""

    min_replicas: Annotated[int, _within(1, 1000)]
    max_replicas: Annotated[int, _within(1, 1000)]
    cpu_percent: Annotated[int, _within(1, 1000)]


class Quotas(_Model):
    """What all pods of a namespace may have together, as ``spec.hard`` of a ResourceQuota."""

    kafka: dict[str, Quantity] = {}
    application: dict[str, Quantity] = {}


class ReportWindow(_Model):
    """The windows of the report that a service makes of the topics that it reads; all in seconds."""

    seconds: Seconds
    grace_seconds: Annotated[int, _within(0, 86_400)]
    idle_seconds: Seconds


class Route(_Model):
    """A path that the ingress gateway lets in."""

    path: Path
    service: ServiceName
    method: Method
    target: Path


class Host(_Model):
    """A host outside the cluster, and the environment variable that tells a service its URL."""

    host: DnsName
    port: Port
    protocol: Protocol
    env: EnvName


class Version(_Model):
    """A version of a service, its share of the calls in percent and the hosts outside that it may reach."""

    name: VersionName
    weight: Percentage = 100
    hosts: list[Host] = []


class Call(_Model):
    """A call that a service makes."""

    service: ServiceName
    method: Method
    path: Path


class Service(_Model):
    """A service of the application: what it calls, what it writes and what it reads."""

    name: ServiceName
    versions: Annotated[list[Version], Field(min_length=1)]
    calls: list[Call] = []
    writes: TopicName | None = None
    reads: list[TopicName] = []
    group: GroupName | None = None
    replicas: Annotated[int, _within(1, 1000)] = 1
    strategy: Strategy = Strategy.ROLLING_UPDATE
    program: ServiceName | None = None
    image: Image | None = None
    env: dict[EnvName, str] = {}

    @property
    def user(self) -> str | None:
        """Name of the service's Kafka user; None when it neither writes nor reads."""
        roles = [role for role, used in (("reader", self.reads), ("writer", self.writes)) if used]
        return "-".join([self.name, *roles]) if roles else None


class Settings(_Model):
    """Every setting of a stack. The keys, what they mean and their defaults are in Pulumi.yaml."""

    platform: Platform
    layer: Layer
    platform_stack: StackName
    instance: Instance
    data_plane: DataPlane
    wait_for_ready: bool
    timeouts: Timeouts
    istio_namespace: Label
    strimzi_namespace: OptionalLabel
    kafka_namespace: Label
    application_namespace: Label
    cluster_domain: DnsName
    trust_domain: DnsName
    existing_namespaces: list[Label]
    adopt: list[ObjectName]
    dns_namespace: Label
    dns_ports: list[Port]
    api_server_ports: list[Port]
    private_ranges: list[Cidr]
    istio_charts: IstioCharts
    strimzi_chart: Chart
    jaeger_chart: Chart
    prometheus_chart: Chart
    kiali_chart: Chart
    chart_values: ChartValues
    cni: bool
    pod_security: PodSecurity
    webhook_failure_policy: FailurePolicy
    gateway_service_type: ServiceType
    gateway_host: OptionalDnsName
    gateway_service_account: Label
    tracing_sampling: Percentage
    otlp_service: Label
    jaeger: bool
    prometheus: bool
    kiali: bool
    monitoring: Monitoring
    strimzi_watch_namespaces: list[WatchedNamespace]
    kafka_cluster: ClusterName
    kafka_version: KafkaVersion
    kafka_node_pools: Annotated[list[NodePool], Field(min_length=1)]
    kafka_config: dict[str, str | int | bool]
    kafka_data: KafkaData
    topology_key: OptionalLabelKey
    replication_factor: Factor
    topic_partitions: Count
    topic_retention_ms: Positive
    topic_segment_bytes: Positive
    report_window: ReportWindow
    password_rotation: Positive
    user_password_rotation: dict[str, Positive]
    image: Image
    resources: Resources
    autoscaling: Autoscaling
    quotas: Quotas
    routes: list[Route]
    services: list[Service]

    @property
    def has_platform(self) -> bool:
        """Whether this stack makes the platform."""
        return self.layer is not Layer.APPLICATION

    @property
    def has_application(self) -> bool:
        """Whether this stack makes Kafka and the services."""
        return self.layer is not Layer.PLATFORM

    @property
    def namespaces(self) -> dict[str, str]:
        """The namespaces that this stack makes besides Istio's, by what they are for."""
        made: dict[str, str] = {}
        if self.has_application:
            made["kafka"] = self.kafka_namespace
        if self.has_application and self.services:
            made["application"] = self.application_namespace
        if self.has_platform and self.strimzi_namespace not in made.values():
            made["strimzi"] = self.strimzi_namespace
        return made

    @property
    def operator_is_shared(self) -> bool:
        """Whether the Strimzi operator also runs Kafka clusters of other stacks."""
        return self.layer is Layer.PLATFORM or bool(set(self.strimzi_watch_namespaces) - {self.kafka_namespace})

    @property
    def istio_pod_security(self) -> PodSecurity:
        """Pod Security Standard of Istio's namespace: the CNI plug-in needs host paths, and no tool is restricted."""
        if self.cni or self.pod_security is PodSecurity.PRIVILEGED:
            return PodSecurity.PRIVILEGED
        return PodSecurity.BASELINE

    @property
    def made_namespaces(self) -> tuple[str, ...]:
        """Names of all namespaces that this stack creates."""
        istio = (self.istio_namespace,) if self.has_platform else ()
        return tuple(name for name in (*istio, *self.namespaces.values()) if name not in self.existing_namespaces)

    @property
    def injected(self) -> bool:
        """Whether workloads get a sidecar."""
        return self.data_plane is DataPlane.SIDECAR

    @property
    def keeps_data(self) -> bool:
        """Whether Kafka's data is protected, and stays when the stack goes all the same."""
        return self.kafka_data is KafkaData.PROTECTED

    @property
    def routed(self) -> bool:
        """Whether OpenShift's router leads to the gateway."""
        return self.platform is Platform.OPENSHIFT and self.gateway_service_type is ServiceType.CLUSTER_IP

    @property
    def brokers(self) -> int:
        """How many brokers the cluster has."""
        return _brokers(self.kafka_node_pools)

    @property
    def replicas(self) -> int:
        """Copies of every partition."""
        return self.replication_factor or min(3, self.brokers)

    @property
    def min_insync_replicas(self) -> int:
        """Copies that must have a record before it counts as written: one may be away if there are three."""
        return max(1, self.replicas - 1)

    @property
    def topics(self) -> tuple[str, ...]:
        """Every topic, in the order in which they are declared."""
        return tuple(dict.fromkeys(service.writes for service in self.services if service.writes))

    def is_called(self, name: str) -> bool:
        """Tell whether a service or the gateway calls the service of that name, so that more pods share the work."""
        called = (*(route.service for route in self.routes), *(c.service for s in self.services for c in s.calls))
        return name in called

    def pods(self, service: Service) -> tuple[int, int]:
        """Return the fewest and the most pods that each version of a service has; without scaling they are the same."""
        if not self.is_called(service.name):
            return service.replicas, service.replicas
        fewest = max(service.replicas, self.autoscaling.min_replicas)
        return fewest, max(fewest, self.autoscaling.max_replicas)

    def service(self, name: str) -> Service:
        """Return the service of that name; raises StopIteration when there is none."""
        return next(service for service in self.services if service.name == name)


def _brokers(pools: Iterable[NodePool]) -> int:
    return sum(pool.replicas for pool in pools if Role.BROKER in pool.roles)


def load(values: Mapping[str, str]) -> Settings:
    """Validate the stack's configuration, and give namespaces and paths the names that they have in the cluster.

    ``values`` maps keys without their namespace to what Pulumi hands a program: text, JSON for arrays and objects.
    Raises SettingsError with every fault found.
    """
    fields = {str(field.alias or to_camel(name)): name for name, field in Settings.model_fields.items()}
    faults = [
        f"{NAMESPACE}:{key} = {_shown(value)}: unknown key; allowed are {', '.join(sorted(fields))}"
        for key, value in sorted(values.items())
        if key not in fields
    ]
    parsed: dict[str, Any] = {}
    partial = Settings.model_construct()
    validator = Settings.__pydantic_validator__
    for key, name in fields.items():
        if key not in values:
            faults.append(f"{NAMESPACE}:{key} is not set; Pulumi.yaml has its default")
            continue
        try:
            value = _decoded(name, values[key])
            validator.validate_assignment(partial, name, value)
            parsed[key] = value
        except json.JSONDecodeError as error:
            faults.append(f"{NAMESPACE}:{key} = {_shown(values[key])}: must be JSON ({error})")
        except ValidationError as error:
            faults += [_fault(key, item["loc"][1:], item) for item in error.errors()]
    valid = SimpleNamespace(**{fields[key]: getattr(partial, fields[key]) for key in parsed})
    for needs, check in _CHECKS:
        if all(hasattr(valid, need) for need in needs):
            faults += [f"{NAMESPACE}:{fault}" for fault in check(valid)]
    if faults:
        raise SettingsError(faults)
    return _placed(Settings.model_validate(parsed))


def _placed(settings: Settings) -> Settings:
    """Set the instance apart from others, and put the operator where its cluster is if it is to be nowhere else."""
    if settings.instance:
        settings = settings.model_copy(
            update={
                "kafka_namespace": f"{settings.kafka_namespace}-{settings.instance}",
                "application_namespace": f"{settings.application_namespace}-{settings.instance}",
                "routes": [
                    route.model_copy(update={"path": f"/{settings.instance}{route.path}"}) for route in settings.routes
                ],
            }
        )
    return settings.model_copy(update={"strimzi_namespace": settings.strimzi_namespace or settings.kafka_namespace})


def _decoded(name: str, value: str) -> Any:
    kind = Settings.model_fields[name].annotation
    plain = isinstance(kind, type) and issubclass(kind, str | int)
    return value if plain else json.loads(value)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return repr(text) if len(text) <= 80 else repr(text[:77] + "...")  # noqa: PLR2004


def _fault(key: str, location: Iterable[str | int], error: Any) -> str:
    path = key + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    if error["type"] == "extra_forbidden":
        return f"{NAMESPACE}:{path} = {_shown(error['input'])}: unknown key"
    if error["type"] == "missing":
        return f"{NAMESPACE}:{path} is missing"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    message = message[0].lower() + message[1:]
    return f"{NAMESPACE}:{path} = {_shown(error['input'])}: {message}"


def _namespaces(settings: Any) -> Iterator[str]:
    owners: dict[str, str] = {}
    for key in ("istio_namespace", "kafka_namespace", "application_namespace"):
        name = getattr(settings, key)
        if name in owners:
            yield f"{to_camel(key)} = {name!r}: must differ from {owners[name]}; each has policies of its own"
        owners.setdefault(name, to_camel(key))


def _instance(settings: Any) -> Iterator[str]:
    for key in ("kafka_namespace", "application_namespace"):
        name = f"{getattr(settings, key)}-{settings.instance}"
        if settings.instance and len(name) > 63:  # noqa: PLR2004
            yield f"instance = {settings.instance!r}: {to_camel(key)} becomes {name!r}, longer than 63 characters"


def _layers(settings: Any) -> Iterator[str]:
    layer, operator = settings.layer, settings.strimzi_namespace
    if layer is not Layer.APPLICATION and settings.platform_stack:
        yield f"platformStack = {settings.platform_stack!r}: layer {layer.value} refers to no platform; remove it"
    shared = (settings.istio_namespace, settings.kafka_namespace, settings.application_namespace)
    if layer is not Layer.ALL and (not operator or operator in shared):
        yield (
            f"strimziNamespace = {operator!r}: must be a namespace of its own in layer {layer.value}, "
            "where the operator belongs to the platform"
        )
    elif operator in (settings.istio_namespace, settings.application_namespace):
        yield f"strimziNamespace = {operator!r}: must not be Istio's or the application's; each has policies of its own"


def _watched(settings: Any) -> Iterator[str]:
    if "*" in settings.strimzi_watch_namespaces and len(settings.strimzi_watch_namespaces) > 1:
        yield "strimziWatchNamespaces: '*' is all namespaces; remove the others"


def _platform(settings: Any) -> Iterator[str]:
    if settings.platform is Platform.OPENSHIFT and not settings.cni:
        yield "cni = 'false': must be true on platform openshift, where pods may not change their own network"


def _pod_security(settings: Any) -> Iterator[str]:
    level, sidecar = settings.pod_security, settings.data_plane is DataPlane.SIDECAR
    if level is not PodSecurity.PRIVILEGED and sidecar and not settings.cni:
        yield f"cni = 'false': must be true with podSecurity {level.value}, which lets no pod change its own network"


def _monitoring(settings: Any) -> Iterator[str]:
    if settings.monitoring is not Monitoring.FULL:
        return
    if not settings.prometheus:
        yield "monitoring = 'full': needs Prometheus; set prometheus to true"
    if settings.data_plane is DataPlane.NONE:
        yield "monitoring = 'full': needs dataPlane sidecar, for the sidecars hand on the metrics of their pods"


def _gateway_host(settings: Any) -> Iterator[str]:
    routed = settings.platform is Platform.OPENSHIFT and settings.gateway_service_type is ServiceType.CLUSTER_IP
    if settings.gateway_host and not routed:
        yield (
            f"gatewayHost = {settings.gateway_host!r}: only a Route has it, "
            "which there is on platform openshift with gatewayServiceType ClusterIP; remove it"
        )


def _existing_namespaces(settings: Any) -> Iterator[str]:
    made = _made_namespaces(settings)
    for index, name in enumerate(settings.existing_namespaces):
        if name not in made:
            yield (
                f"existingNamespaces[{index}] = {name!r}: is no namespace of this stack, which has {', '.join(made)}; "
                "remove it, or correct the name"
            )


def _made_namespaces(settings: Any) -> list[str]:
    """Return the names that the stack's namespaces have in the cluster."""
    suffix = f"-{settings.instance}" if settings.instance else ""
    named = {
        settings.istio_namespace: settings.layer is not Layer.APPLICATION,
        f"{settings.kafka_namespace}{suffix}": settings.layer is not Layer.PLATFORM,
        f"{settings.application_namespace}{suffix}": settings.layer is not Layer.PLATFORM and bool(settings.services),
        settings.strimzi_namespace: settings.layer is not Layer.APPLICATION and bool(settings.strimzi_namespace),
    }
    return [name for name, there in named.items() if there]


def _autoscaling(settings: Any) -> Iterator[str]:
    fewest, most = settings.autoscaling.min_replicas, settings.autoscaling.max_replicas
    if most < fewest:
        yield f"autoscaling.maxReplicas = {most}: must not be below minReplicas, {fewest}"


def _kafka_data(settings: Any) -> Iterator[str]:
    if settings.kafka_data is not KafkaData.PROTECTED:
        return
    for index, pool in enumerate(settings.kafka_node_pools):
        path = f"kafkaNodePools[{index}].storage"
        if pool.storage.type is StorageType.EPHEMERAL:
            yield f"{path}.type = 'ephemeral': must be persistent-claim with kafkaData protected"
        if pool.storage.delete_claim:
            yield f"{path}.deleteClaim = true: must be false with kafkaData protected"


def _node_pools(settings: Any) -> Iterator[str]:
    pools = settings.kafka_node_pools
    yield from _duplicates("kafkaNodePools", "name", [pool.name for pool in pools])
    for role in Role:
        if not any(role in pool.roles for pool in pools):
            yield f"kafkaNodePools: no pool has the role {role.value!r}; a cluster needs controllers and brokers"
    for index, pool in enumerate(pools):
        storage, path = pool.storage, f"kafkaNodePools[{index}].storage"
        if storage.type is StorageType.PERSISTENT and storage.size is None:
            yield f"{path}.size is missing; type persistent-claim needs one, such as 10Gi"
        if storage.type is StorageType.EPHEMERAL:
            for name, value in (
                ("size", storage.size),
                ("class", storage.class_),
                ("deleteClaim", storage.delete_claim),
            ):
                if value is not None:
                    yield f"{path}.{name} = {value!r}: only type persistent-claim has it; remove it"


def _replication(settings: Any) -> Iterator[str]:
    brokers = _brokers(settings.kafka_node_pools)
    if settings.replication_factor > brokers > 0:
        yield (
            f"replicationFactor = {settings.replication_factor}: must not be above the number of brokers, {brokers} "
            "(0 follows it)"
        )


def _services(settings: Any) -> Iterator[str]:
    services: list[Service] = settings.services
    names = {service.name for service in services}
    yield from _duplicates("services", "name", [service.name for service in services])
    written = {service.writes for service in services if service.writes}
    for index, service in enumerate(services):
        path = f"services[{index}]"
        yield from _duplicates(f"{path}.versions", "name", [version.name for version in service.versions])
        weights = sum(version.weight for version in service.versions)
        if weights != 100:  # noqa: PLR2004
            yield (
                f"{path}.versions: the weights of {service.name!r} are "
                f"{' + '.join(str(version.weight) for version in service.versions)} = {weights}: must add up to 100"
            )
        for position, call in enumerate(service.calls):
            if call.service not in names:
                yield (
                    f"{path}.calls[{position}].service = {call.service!r}: no such service; "
                    f"declared are {', '.join(sorted(names))}"
                )
        yield from _duplicates(
            f"{path}.calls",
            "call",
            [f"{call.method.value} {call.service}{call.path}" for call in service.calls],
        )
        for position, topic in enumerate(service.reads):
            if topic not in written:
                yield (
                    f"{path}.reads[{position}] = {topic!r}: no service writes this topic; "
                    f"written are {', '.join(sorted(written)) or 'none'}"
                )
        yield from _duplicates(f"{path}.reads", "topic", service.reads)
        if service.reads and not service.group:
            yield f"{path}.group is missing; {service.name!r} reads topics and needs a consumer group"
        if service.group and not service.reads:
            yield f"{path}.group = {service.group!r}: {service.name!r} reads no topic; remove it"
        for position, version in enumerate(service.versions):
            yield from _duplicates(f"{path}.versions[{position}].hosts", "env", [host.env for host in version.hosts])
    cycle = _cycle(services)
    if cycle:
        yield f"services: the calls {' -> '.join(cycle)} are a cycle; a call must never come back to its caller"


def _cycle(services: Iterable[Service]) -> list[str]:
    calls = {service.name: sorted({call.service for call in service.calls}) for service in services}
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return []
        for called in calls.get(name, []):
            found = visit(called, [*trail, name])
            if found:
                return found
        done.add(name)
        return []

    return next((found for name in calls if (found := visit(name, []))), [])


def _routes(settings: Any) -> Iterator[str]:
    names = {service.name for service in settings.services}
    yield from _duplicates("routes", "path", [route.path for route in settings.routes])
    for index, route in enumerate(settings.routes):
        if route.service not in names:
            yield (
                f"routes[{index}].service = {route.service!r}: no such service; declared are {', '.join(sorted(names))}"
            )


def _rotations(settings: Any) -> Iterator[str]:
    users = sorted(service.user for service in settings.services if service.user)
    for name, number in settings.user_password_rotation.items():
        if name not in users:
            yield f"userPasswordRotation.{name} = {number}: no such Kafka user; there are {', '.join(users)}"


def _duplicates(path: str, what: str, values: Iterable[str]) -> Iterator[str]:
    for value, count in Counter(values).items():
        if count > 1:
            yield f"{path}: the {what} {value!r} appears {count} times; each may appear once"


_CHECKS: tuple[tuple[tuple[str, ...], Callable[[Any], Iterator[str]]], ...] = (
    (("istio_namespace", "kafka_namespace", "application_namespace"), _namespaces),
    (("kafka_namespace", "application_namespace", "instance"), _instance),
    (
        (
            "layer",
            "platform_stack",
            "istio_namespace",
            "strimzi_namespace",
            "kafka_namespace",
            "application_namespace",
        ),
        _layers,
    ),
    (
        (
            "existing_namespaces",
            "layer",
            "instance",
            "services",
            "istio_namespace",
            "kafka_namespace",
            "application_namespace",
            "strimzi_namespace",
        ),
        _existing_namespaces,
    ),
    (("strimzi_watch_namespaces",), _watched),
    (("platform", "cni"), _platform),
    (("data_plane", "cni", "pod_security"), _pod_security),
    (("data_plane", "prometheus", "monitoring"), _monitoring),
    (("platform", "gateway_service_type", "gateway_host"), _gateway_host),
    (("autoscaling",), _autoscaling),
    (("kafka_data", "kafka_node_pools"), _kafka_data),
    (("kafka_node_pools",), _node_pools),
    (("kafka_node_pools", "replication_factor"), _replication),
    (("services",), _services),
    (("services", "routes"), _routes),
    (("services", "user_password_rotation"), _rotations),
)

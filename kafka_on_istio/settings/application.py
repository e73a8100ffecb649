"""Settings of the application: its services and what they may do."""

from enum import Enum
from typing import Annotated

from pydantic import Field

from kafka_on_istio.settings.kafka import Resources
from kafka_on_istio.settings.values import (
    DnsName,
    EnvName,
    GroupName,
    Image,
    Label,
    Model,
    Path,
    Percentage,
    Port,
    Quantity,
    Replicas,
    Seconds,
    ServiceName,
    TopicName,
    VersionName,
    setting,
    within,
)


class Method(str, Enum):
    """HTTP methods of declared calls."""

    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


class Protocol(str, Enum):
    """Protocol of a host outside the cluster."""

    HTTP = "HTTP"
    HTTPS = "HTTPS"
    TCP = "TCP"


class Strategy(str, Enum):
    """How a Deployment replaces its pods."""

    ROLLING_UPDATE = "RollingUpdate"
    RECREATE = "Recreate"


class Autoscaling(Model):
    """Bounds on the pods of a version, and their target CPU utilization in percent of the request."""

    min_replicas: Replicas
    max_replicas: Replicas
    cpu_percent: Annotated[int, within(1, 1000)]


class Quotas(Model):
    """``spec.hard`` of each namespace's ResourceQuota."""

    kafka: dict[str, Quantity] = {}
    application: dict[str, Quantity] = {}


class ReportWindow(Model):
    """Windows of the report that a service makes of the topics that it reads, in seconds."""

    seconds: Seconds
    grace_seconds: Annotated[int, within(0, 86_400)]
    idle_seconds: Seconds


class Route(Model):
    """A path that the ingress gateway forwards to a service."""

    path: Path
    service: ServiceName
    method: Method
    target: Path


class Host(Model):
    """A host outside the cluster, and the environment variable with its URL."""

    host: DnsName
    port: Port
    protocol: Protocol
    env: EnvName


class Version(Model):
    """A version of a service, its share of the calls in percent, and the outside hosts that it may reach."""

    name: VersionName
    weight: Percentage = 100
    hosts: list[Host] = []


class Call(Model):
    """A call that a service makes."""

    service: ServiceName
    method: Method
    path: Path


class Service(Model):
    """A service of the application: what it calls, what it writes and what it reads."""

    name: ServiceName
    versions: Annotated[list[Version], Field(min_length=1)]
    calls: list[Call] = []
    writes: TopicName | None = None
    reads: list[TopicName] = []
    group: GroupName | None = None
    replicas: Replicas = 1
    strategy: Strategy = Strategy.ROLLING_UPDATE
    program: ServiceName | None = None
    image: Image | None = None
    env: dict[EnvName, str] = {}

    @property
    def user(self) -> str | None:
        """Name of the service's Kafka user; None if the service neither writes nor reads."""
        roles = [role for role, used in (("reader", self.reads), ("writer", self.writes)) if used]
        return "-".join([self.name, *roles]) if roles else None

    @property
    def transactional_id(self) -> str | None:
        """Transactional id of a service that writes what it reads, with its offsets in one transaction."""
        return (self.group or self.name) if self.reads and self.writes else None


class ApplicationSettings(Model):
    """The application's services and what they may do."""

    application_namespace: Label = setting(
        default="demo-app",
        description="Namespace of the demo application.",
    )
    image: Image = setting(
        default="ghcr.io/kafka-on-istio/services:0.2.0",
        description="Image of the demo services, with tag or digest. A service can set its own.",
    )
    resources: Resources = setting(
        default={
            "requests": {"cpu": "50m", "memory": "96Mi"},
            "limits": {"cpu": "500m", "memory": "256Mi"},
        },
        description="Requests and limits of every demo service's container.",
    )
    autoscaling: Autoscaling = setting(
        default={"minReplicas": 1, "maxReplicas": 1, "cpuPercent": 80},
        description="Scaling of every version of each service that is called: `minReplicas`, `maxReplicas` and "
        "`cpuPercent`, the target CPU utilization in percent of the request. Equal bounds disable scaling.",
    )
    quotas: Quotas = setting(
        default={},
        description="Resource quotas of the namespaces `kafka` and `application`, each as `spec.hard` of a "
        "ResourceQuota. Containers without requests and limits then get defaults.",
    )
    report_window: ReportWindow = setting(
        default={"seconds": 300, "graceSeconds": 60, "idleSeconds": 360},
        description="Windows of the consumer's report, in seconds: `seconds` is their length; `graceSeconds` is "
        "how long after its end a window accepts records; `idleSeconds` is after how long without records a "
        "partition no longer keeps windows open. Set `idleSeconds` to at least the sum of the other two, or a "
        "window can close early.",
    )
    routes: list[Route] = setting(
        default=[{"path": "/customer", "service": "customer", "method": "GET", "target": "/"}],
        description="Requests that the ingress gateway accepts, each `{path, service, method, target}`; `target` "
        "is the path at the service.",
    )
    services: list[Service] = setting(
        default=[
            {
                "name": "customer",
                "versions": [{"name": "v1"}],
                "calls": [{"service": "preference", "method": "GET", "path": "/"}],
                "writes": "demo-application-log-customer",
            },
            {
                "name": "preference",
                "versions": [{"name": "v1"}],
                "calls": [{"service": "recommendation", "method": "GET", "path": "/"}],
                "writes": "demo-application-log-preference",
            },
            {
                "name": "recommendation",
                "versions": [
                    {"name": "v1", "weight": 40},
                    {"name": "v2", "weight": 40},
                    {
                        "name": "v3",
                        "weight": 20,
                        "hosts": [{"host": "worldclockapi.com", "port": 80, "protocol": "HTTP", "env": "TIME_API_URL"}],
                    },
                ],
                "writes": "demo-application-log-recommendation",
            },
            {
                "name": "consumer",
                "versions": [{"name": "v1"}],
                "reads": [
                    "demo-application-log-customer",
                    "demo-application-log-preference",
                    "demo-application-log-recommendation",
                ],
                "writes": "demo-application-log-aggregated",
                "group": "demo-application-log-consumer",
                "strategy": "Recreate",
            },
        ],
        description="The declaration of the application. Each service is `{name, versions [{name, weight, hosts "
        "[{host, port, protocol, env}]}], calls [{service, method, path}], writes, reads, group, replicas, "
        "strategy, program, image, env}`. Every policy, topic and user follows from it. If empty, the stack has "
        "Kafka and no application.",
    )

    @property
    def topics(self) -> tuple[str, ...]:
        """Every topic, in the order of their declaration."""
        return tuple(dict.fromkeys(service.writes for service in self.services if service.writes))

    def is_called(self, name: str) -> bool:
        """Tell whether a service or the gateway calls the service of that name, so that more pods share the work."""
        called = (*(route.service for route in self.routes), *(c.service for s in self.services for c in s.calls))
        return name in called

    def pods(self, service: Service) -> tuple[int, int]:
        """Return the min and max pods of each version of a service, which are equal without scaling."""
        if not self.is_called(service.name):
            return service.replicas, service.replicas
        lowest = max(service.replicas, self.autoscaling.min_replicas)
        return lowest, max(lowest, self.autoscaling.max_replicas)

    def service(self, name: str) -> Service:
        """Return the service of that name; raises StopIteration if there is none."""
        return next(service for service in self.services if service.name == name)

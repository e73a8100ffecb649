"""Specifications of the application's own Kubernetes objects."""

from collections.abc import Mapping
from typing import Any

from model import names
from model.access import transactional_id
from model.settings import Method, Platform, Protocol, Service, Settings, Version

_USER = 10001
_SCHEMES = {Protocol.HTTP: ("http", 80), Protocol.HTTPS: ("https", 443), Protocol.TCP: ("tcp", None)}


def environment(settings: Settings, service: Service, version: Version) -> dict[str, str]:
    """Return a version's environment without its Kafka credentials: all follows from the declaration."""
    env = {
        "SERVICE_NAME": service.name,
        "SERVICE_VERSION": version.name,
        "PORT": str(names.SERVICE_PORT),
        "OTEL_SERVICE_NAME": service.name,
        "OTEL_EXPORTER_OTLP_ENDPOINT": names.otlp_endpoint(settings),
    }
    if service.calls:
        env["UPSTREAM_URL"] = ",".join(
            _call(call.method, f"http://{call.service}:{names.SERVICE_PORT}{call.path}") for call in service.calls
        )
    if (answers := _answers(settings, service)) not in ("", "/"):
        env["ANSWERS"] = answers
    for host in version.hosts:
        scheme, standard = _SCHEMES[host.protocol]
        port = "" if host.port == standard else f":{host.port}"
        env[host.env] = f"{scheme}://{host.host}{port}"
    if service.writes:
        env["KAFKA_TOPIC"] = service.writes
    if service.reads:
        env["KAFKA_TOPICS"] = ",".join(service.reads)
        env["KAFKA_WRITERS"] = ",".join(
            f"{topic}={writer.name}"
            for topic in service.reads
            for writer in settings.services
            if writer.writes == topic
        )
        env["KAFKA_GROUP_ID"] = str(service.group)
        window = settings.report_window
        env["WINDOW_SECONDS"] = str(window.seconds)
        env["WINDOW_GRACE_SECONDS"] = str(window.grace_seconds)
        env["WINDOW_IDLE_SECONDS"] = str(window.idle_seconds)
    if service.reads and service.writes:
        env["KAFKA_TRANSACTIONAL_ID"] = transactional_id(service)
    return env | service.env


def _answers(settings: Settings, service: Service) -> str:
    """Return what callers and routes are declared to ask of a service; empty for one that nobody calls."""
    routed = [(route.method, route.target) for route in settings.routes if route.service == service.name]
    called = [
        (call.method, call.path)
        for caller in settings.services
        for call in caller.calls
        if call.service == service.name
    ]
    return ",".join(dict.fromkeys(_call(method, path) for method, path in (*routed, *called)))


def _call(method: Method, where: str) -> str:
    """Return a call as the demo's programs read it: GET goes without saying."""
    return where if method is Method.GET else f"{method.value} {where}"


def kafka_environment(user: Any, bootstrap: Any, secret: Any, key: Any) -> list[dict[str, Any]]:
    """Return the environment that logs a container in to Kafka. The arguments may be Pulumi outputs."""
    return [
        {"name": "KAFKA_BOOTSTRAP_SERVER", "value": bootstrap},
        {"name": "KAFKA_USER_NAME", "value": user},
        {"name": "KAFKA_PASSWORD", "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}},
    ]


def deployment_spec(
    settings: Settings, service: Service, version: Version, kafka: list[dict[str, Any]]
) -> dict[str, Any]:
    """Specification of a version's Deployment; ``kafka`` is its kafka_environment, or empty."""
    labels = names.labels(service, version)
    security: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if settings.platform is not Platform.OPENSHIFT:
        # OpenShift gives each namespace a range of user ids and refuses any other.
        security |= {"runAsUser": _USER, "runAsGroup": _USER}
    fewest, most = settings.pods(service)
    # Where their number is scaled, it is the scaler's to say.
    replicas = {"replicas": fewest} if fewest == most else {}
    return {
        **replicas,
        "selector": {"matchLabels": labels},
        "strategy": {"type": service.strategy.value},
        "template": {
            "metadata": {
                "labels": labels,
                "annotations": names.scraped(names.SERVICE_PORT),
            },
            "spec": {
                **_spread(settings, labels),
                "serviceAccountName": names.workload(service, version),
                "automountServiceAccountToken": False,
                "securityContext": security,
                "terminationGracePeriodSeconds": 30,
                "containers": [
                    {
                        "name": service.name,
                        "image": service.image or settings.image,
                        "args": [service.program or service.name],
                        "env": [*_pairs(environment(settings, service, version)), *kafka],
                        "ports": [{"name": "http", "containerPort": names.SERVICE_PORT, "protocol": "TCP"}],
                        "startupProbe": _probe("/health", periodSeconds=1, failureThreshold=60),
                        "livenessProbe": _probe("/health", periodSeconds=10, failureThreshold=3),
                        "readinessProbe": _probe("/ready", periodSeconds=5, failureThreshold=3),
                        "resources": settings.resources.model_dump(),
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"]},
                        },
                        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
                    }
                ],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            },
        },
    }


def _spread(settings: Settings, labels: dict[str, str]) -> dict[str, Any]:
    if not settings.topology_key:
        return {}
    constraint = {
        "maxSkew": 1,
        "topologyKey": settings.topology_key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
    return {"topologySpreadConstraints": [constraint]}


def autoscaler_spec(settings: Settings, service: Service, version: Version) -> dict[str, Any] | None:
    """Specification of a version's HorizontalPodAutoscaler; None where the number of pods is fixed."""
    fewest, most = settings.pods(service)
    if fewest == most:
        return None
    # Of the service's own container: the sidecar's request would dilute it.
    resource = {
        "container": service.name,
        "name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": settings.autoscaling.cpu_percent},
    }
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": names.workload(service, version)},
        "minReplicas": fewest,
        "maxReplicas": most,
        "metrics": [{"type": "ContainerResource", "containerResource": resource}],
    }


def disruption_budget_spec(settings: Settings, service: Service, version: Version) -> dict[str, Any] | None:
    """Specification of a version's PodDisruptionBudget; None where there is one pod, which it could not keep."""
    fewest, _ = settings.pods(service)
    if fewest == 1:
        return None
    return {"maxUnavailable": 1, "selector": {"matchLabels": names.labels(service, version)}}


_CONTAINER_DEFAULTS = {
    "default": {"cpu": "500m", "memory": "512Mi"},
    "defaultRequest": {"cpu": "100m", "memory": "256Mi"},
}
"""For containers that say nothing, such as those of Strimzi's entity operator, which a quota would refuse."""


def container_defaults() -> dict[str, Any]:
    """Specification of the LimitRange of a namespace that has a quota."""
    return {"limits": [{"type": "Container", **_CONTAINER_DEFAULTS}]}


def _pairs(env: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in env.items()]


def _probe(path: str, **rest: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "http"}, "timeoutSeconds": 3, **rest}


def service_spec(service: Service) -> dict[str, Any]:
    """Specification of a service's Service, in front of all its versions."""
    return {
        "selector": {"app": service.name},
        "ports": [{"name": "http", "port": names.SERVICE_PORT, "targetPort": "http", "protocol": "TCP"}],
    }

"""Shell commands that show what a stack has created."""

from kafka_on_istio import names
from kafka_on_istio.settings.settings import Settings


def to_try(settings: Settings) -> dict[str, str]:
    """Return shell commands, by what they show."""
    kafka, application = settings.kafka_namespace, settings.application_namespace
    if not settings.has_application:
        return {
            "istio": f"kubectl -n {settings.istio_namespace} get pods",
            "strimzi": f"kubectl -n {settings.strimzi_namespace} get pods",
        } | _tools(settings)
    gateway = f"-n {settings.istio_namespace} port-forward service/{names.GATEWAY} 8080:80"
    commands = {
        "kafka": f"kubectl -n {kafka} get kafka,kafkatopic,kafkauser",
        "policies": "kubectl get authorizationpolicies,peerauthentications,sidecars -A",
    }
    if settings.services:
        commands["application"] = f"kubectl -n {application} get pods"
    if settings.sidecar_injection:
        commands["open"] = f"kubectl {gateway}"
        if settings.routes:
            commands["call"] = f"curl http://localhost:8080{settings.routes[0].path}"
    if any(service.reads for service in settings.services):
        reader = next(service for service in settings.services if service.reads)
        deployment = names.workload(reader, reader.versions[0])
        commands["report"] = f"kubectl -n {application} logs deployment/{deployment} -c {reader.name} --follow"
    return commands | _tools(settings)


def _tools(settings: Settings) -> dict[str, str]:
    if not settings.kiali:
        return {}
    port = names.KIALI_PORT
    return {"kiali": f"kubectl -n {settings.istio_namespace} port-forward service/kiali {port}:{port}"}

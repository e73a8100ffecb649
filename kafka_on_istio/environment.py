"""The environment of the demo services."""

from typing import Final

from kafka_on_istio import names
from kafka_on_istio.settings.application import Method, Protocol, Service, Version
from kafka_on_istio.settings.settings import Settings

_SCHEMES: Final = {Protocol.HTTP: ("http", 80), Protocol.HTTPS: ("https", 443), Protocol.TCP: ("tcp", None)}


def environment(settings: Settings, service: Service, version: Version) -> dict[str, str]:
    """Return a version's environment without its Kafka credentials; all of it follows from the declaration."""
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
    if service.transactional_id:
        env["KAFKA_TRANSACTIONAL_ID"] = service.transactional_id
    return env | service.env


def _answers(settings: Settings, service: Service) -> str:
    """Return the requests that callers and routes declare for a service; empty if there are none."""
    routed = [(route.method, route.target) for route in settings.routes if route.service == service.name]
    called = [
        (call.method, call.path)
        for caller in settings.services
        for call in caller.calls
        if call.service == service.name
    ]
    return ",".join(dict.fromkeys(_call(method, path) for method, path in (*routed, *called)))


def _call(method: Method, where: str) -> str:
    """Return a call as the demo's programs read it; GET is the default and left out."""
    return where if method is Method.GET else f"{method.value} {where}"

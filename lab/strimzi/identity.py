"""The client certificate of the topic and user operator, from Secrets."""

from __future__ import annotations

from lab.certificates import Pair
from lab.strimzi.admin import Admin, KafkaUnavailableError, identity
from lab.strimzi.environment import EntityOperatorSettings
from lab.strimzi.kubernetes import Kubernetes
from lab.strimzi.secret_manifests import decoded

_FILE = "entity-operator"


def admin(kubernetes: Kubernetes, settings: EntityOperatorSettings) -> Admin:
    """Return a connection that reads its certificate whenever it is opened, for it may have been renewed."""

    def read(secret: str, key: str) -> bytes:
        value = decoded(kubernetes.get("Secret", secret, settings.namespace), key)
        if value is None:
            message = f"Secret {secret} with {key} is not there"
            raise KafkaUnavailableError(message)
        return value

    def connection() -> dict[str, object]:
        pair = Pair(read(settings.identity, f"{_FILE}.crt"), read(settings.identity, f"{_FILE}.key"))
        return {
            "bootstrap_servers": settings.bootstrap,
            "security_protocol": "SSL",
            "ssl_context": identity(read(settings.trusted, "ca.crt"), pair),
        }

    return Admin(connection)

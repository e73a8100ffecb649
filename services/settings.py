"""The settings of the services, from their environment."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.environment import Call, Environment

KAFKA_VARIABLES = ("KAFKA_TOPIC", "KAFKA_BOOTSTRAP_SERVER", "KAFKA_USER_NAME", "KAFKA_PASSWORD")


@dataclass(frozen=True)
class Login:
    """How to reach Kafka, and as whom (SASL_PLAINTEXT, SCRAM-SHA-512)."""

    bootstrap: str
    user: str
    password: str = field(repr=False)

    def client(self) -> dict[str, str | int]:
        """Return librdkafka's configuration for a login."""
        return {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": self.user,
            "sasl.password": self.password,
        }


def login(environment: Environment) -> Login:
    """Read KAFKA_BOOTSTRAP_SERVER, KAFKA_USER_NAME and KAFKA_PASSWORD."""
    return Login(
        bootstrap=environment.addresses("KAFKA_BOOTSTRAP_SERVER"),
        user=environment.text("KAFKA_USER_NAME"),
        password=environment.text("KAFKA_PASSWORD"),
    )


@dataclass(frozen=True)
class Identity:
    """Who a process is: SERVICE_NAME, SERVICE_VERSION, HOSTNAME; and where its spans go (empty: nowhere)."""

    name: str
    version: str
    host: str
    trace_name: str
    otlp_endpoint: str


def identity(environment: Environment, program: str) -> Identity:
    """Read SERVICE_NAME (default: the program's), SERVICE_VERSION, HOSTNAME, OTEL_SERVICE_NAME and the endpoint."""
    name = environment.name("SERVICE_NAME", program)
    return Identity(
        name=name,
        version=environment.name("SERVICE_VERSION", "v1"),
        host=environment.text("HOSTNAME", "unknown"),
        trace_name=environment.text("OTEL_SERVICE_NAME", name),
        otlp_endpoint=environment.url("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
    )


@dataclass(frozen=True)
class Listening:
    """The address of a service, and how it stops.

    After a stop signal it answers for ``stop_delay`` seconds as before, for that is how long callers may take to learn
    that it is not ready.
    """

    address: str
    port: int
    stop_delay: float


def listening(environment: Environment) -> Listening:
    """Read LISTEN_ADDRESS, PORT and STOP_DELAY_SECONDS."""
    return Listening(
        address=environment.text("LISTEN_ADDRESS", "0.0.0.0"),  # noqa: S104 a pod is reached from outside
        port=environment.integer("PORT", 8080, 1, 65535),
        stop_delay=environment.seconds("STOP_DELAY_SECONDS", 2, 0, 10),
    )


def answers(environment: Environment) -> tuple[Call, ...]:
    """Read ANSWERS: the methods and paths that the service serves."""
    return environment.answers("ANSWERS", "/")


@dataclass(frozen=True)
class Calling:
    """The upstreams to call, in this order, and the timeout of each call in seconds."""

    calls: tuple[Call, ...]
    timeout: float


def calling(environment: Environment) -> Calling:
    """Read UPSTREAM_URL and UPSTREAM_TIMEOUT_SECONDS."""
    return Calling(environment.calls("UPSTREAM_URL"), environment.seconds("UPSTREAM_TIMEOUT_SECONDS", 5, 0.1, 300))


@dataclass(frozen=True)
class CallLogging:
    """Where calls are logged: the topic, the login, and how many records may wait for Kafka."""

    topic: str
    login: Login
    buffer: int


def call_logging(environment: Environment) -> CallLogging | None:
    """Read KAFKA_TOPIC, the login and KAFKA_BUFFER_RECORDS; None when no KAFKA_* of those is set."""
    if not environment.has(*KAFKA_VARIABLES):
        return None
    return CallLogging(
        topic=environment.topic("KAFKA_TOPIC"),
        login=login(environment),
        buffer=environment.integer("KAFKA_BUFFER_RECORDS", 100_000, 1, 10_000_000),
    )

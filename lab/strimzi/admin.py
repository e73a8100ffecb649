"""The operators' requests to Kafka's admin API, on the listener with client certificates."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient
from kafka.protocol.api_message import ApiMessage

from lab.certificates import Pair, load

Result = TypeVar("Result")

_PATIENCE: Final = {
    "bootstrap_timeout_ms": 5_000,
    "request_timeout_ms": 10_000,
    # A broker that restarts is back in a moment.
    "reconnect_backoff_max_ms": 500,
}


class KafkaUnavailableError(Exception):
    """Kafka cannot be asked, or did not answer."""


class AdminError(Exception):
    """Kafka refused; the message is its own."""

    def __init__(self, subject: str, error: object) -> None:
        super().__init__(f"{subject}: {error}")


def identity(authority: bytes, pair: Pair) -> ssl.SSLContext:
    """Return the identity of who has a certificate by an authority and trusts what that has signed.

    :raises ValueError: if one of them is no certificate.
    """
    context = ssl.create_default_context(cadata=authority.decode())
    load(context, pair)
    return context


class Admin:
    """A connection that is opened when it is needed, and opened anew after trouble."""

    def __init__(self, settings: Callable[[], Mapping[str, Any]]) -> None:
        """Remember how to connect.

        :param settings: returns those of kafka-python, ``bootstrap_servers`` and how to log in among them.
        """
        self._settings = settings
        self._client: KafkaAdminClient | None = None

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def ask(self, question: Callable[[KafkaAdminClient], Result]) -> Result:
        """Return what ``question`` gets out of a client.

        :raises KafkaUnavailableError: if Kafka does not answer.
        """
        try:
            if self._client is None:
                self._client = _connected(self._settings())
            return question(self._client)
        except (KafkaError, OSError) as error:
            self.close()
            message = f"Kafka does not answer: {type(error).__name__}: {error}"
            raise KafkaUnavailableError(message) from error

    def send(self, request: ApiMessage) -> Any:
        """Return the response to a request of the protocol.

        :raises KafkaUnavailableError: if Kafka does not answer.
        """
        return self.ask(lambda client: client._manager.run(client._manager.send, request))  # noqa: SLF001 no other way


def _connected(settings: Mapping[str, Any]) -> KafkaAdminClient:
    opened: list[KafkaNetClient] = []

    def open_connections(**config: Any) -> KafkaNetClient:
        opened.append(KafkaNetClient(**config))
        return opened[0]

    try:
        return KafkaAdminClient(kafka_client=open_connections, **_PATIENCE, **settings)
    except BaseException:
        # The client that could not be made has a thread and sockets, and nobody else to end them.
        for connections in opened:
            connections.close()
            connections._manager._net.stop()  # noqa: SLF001 as the client's own close does
        raise

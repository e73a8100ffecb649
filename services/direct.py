"""Fetches the raw bytes of a partition from brokers, without a library that parses them.

Implements the needed part of Kafka's protocol, as all brokers since 1.0 do.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from services.settings import Login

_HANDSHAKE, _AUTHENTICATE, _FETCH = (17, 1), (36, 0), (1, 4)
"""Kinds of requests, and their versions."""

_MECHANISM: Final = "SCRAM-SHA-512"
_READ_COMMITTED: Final = 1
_WAIT: Final = 100
"""Milliseconds that a broker may wait for records to come."""

_MOST: Final = 16_777_216
"""Bytes that an answer may have; a broker sends no more than was asked for, or one batch."""

_LEAST: Final = 4
"""Bytes that it has, for the number of its request."""

Address = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True)
class Fetched:
    """Batches as they are in a partition, and by producer where its transactions begin that were aborted."""

    batches: bytes
    aborted: Mapping[int, Sequence[int]]


class Direct:
    """Connections to brokers, opened when they are needed."""

    def __init__(self, login: Login, patience: float, size: int) -> None:
        """:param patience: seconds until a broker's response.

        :param size: bytes per request.
        """
        self._login = login
        self._patience = patience
        self._size = size
        self._connections: dict[Address, _Connection] = {}

    def fetch(self, address: Address, topic: str, partition: int, offset: int) -> Fetched:
        """Return a partition's batches from an offset on.

        :param address: of the partition's leader.
        :raises KafkaException: if the broker refuses, or is unavailable.
        """
        try:
            if address not in self._connections:
                self._connections[address] = _Connection(address, self._login, self._patience)
            asked = struct.pack(">iiiibi", -1, _WAIT, 1, self._size, _READ_COMMITTED, 1) + _text(topic)
            asked += struct.pack(">iiqi", 1, partition, offset, self._size)
            answer = _Answer(self._connections[address].ask(_FETCH, asked))
            answer.numbers(">ii")
            answer.text()
            _, _, error, _, _, transactions = answer.numbers(">iihqqi")
            if error:
                raise KafkaException(KafkaError(error))
            aborted: dict[int, list[int]] = {}
            for _ in range(max(transactions, 0)):
                producer, first = answer.numbers(">qq")
                aborted.setdefault(producer, []).append(first)
            return Fetched(answer.data(), aborted)
        except (OSError, struct.error, ValueError, KeyError) as error:
            self.close()
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, str(error))) from error  # noqa: SLF001 public

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()


class _Connection:
    def __init__(self, address: Address, login: Login, patience: float) -> None:
        self._socket = socket.create_connection(address, patience)
        try:
            self._log_in(login)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def ask(self, kind: tuple[int, int], body: bytes) -> bytes:
        request = struct.pack(">hhi", *kind, 0) + _text("report") + body
        self._socket.sendall(struct.pack(">i", len(request)) + request)
        (length,) = struct.unpack(">i", self._receive(4))
        if not _LEAST <= length <= _MOST:
            raise ValueError(f"an answer of {length} bytes")
        return self._receive(length)[_LEAST:]

    def _receive(self, length: int) -> bytes:
        found = bytearray()
        while len(found) < length:
            data = self._socket.recv(length - len(found))
            if not data:
                raise ConnectionError("closed by the broker")
            found += data
        return bytes(found)

    def _log_in(self, login: Login) -> None:
        """Log in by SCRAM (RFC 5802)."""
        (error,) = _Answer(self.ask(_HANDSHAKE, _text(_MECHANISM))).numbers(">h")
        if error:
            raise KafkaException(KafkaError(error))
        user = login.user.replace("=", "=3D").replace(",", "=2C")
        nonce = secrets.token_hex(24)
        hello = f"n={user},r={nonce}"
        challenge = self._token(f"n,,{hello}")
        parts = dict(part.split("=", 1) for part in challenge.split(","))
        if not parts["r"].startswith(nonce):
            raise ValueError("the broker's challenge is not for this login")
        salt, rounds = base64.b64decode(parts["s"]), int(parts["i"])
        salted = hashlib.pbkdf2_hmac("sha512", login.password.encode(), salt, rounds)
        key = _sign(salted, "Client Key")
        proven = f"c=biws,r={parts['r']}"
        signed = f"{hello},{challenge},{proven}"
        signature = _sign(hashlib.sha512(key).digest(), signed)
        proof = bytes(one ^ other for one, other in zip(key, signature, strict=True))
        answer = self._token(f"{proven},p={base64.b64encode(proof).decode('ascii')}")
        expected = base64.b64encode(_sign(_sign(salted, "Server Key"), signed)).decode("ascii")
        if not hmac.compare_digest(answer, f"v={expected}"):
            raise ValueError("the broker does not know the password")

    def _token(self, token: str) -> str:
        data = token.encode()
        answer = _Answer(self.ask(_AUTHENTICATE, struct.pack(">i", len(data)) + data))
        (error,) = answer.numbers(">h")
        if error:
            raise KafkaException(KafkaError(error))
        answer.text()
        return answer.data().decode()


class _Answer:
    """A response, read from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def numbers(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return found

    def text(self) -> bytes:
        return self._take(*self.numbers(">h"))

    def data(self) -> bytes:
        return self._take(*self.numbers(">i"))

    def _take(self, length: int) -> bytes:
        self._at += max(length, 0)
        return self._data[self._at - max(length, 0) : self._at]


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def _sign(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), "sha512").digest()

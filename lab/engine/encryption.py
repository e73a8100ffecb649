"""Secrets in state files and stack configuration, in the format of Pulumi's passphrase secrets provider.

A key of 32 bytes is derived from the passphrase (PBKDF2-HMAC-SHA256, 1,000,000 rounds, 8 bytes of salt) and each
value is sealed with AES-256-GCM. ``v1:<nonce>:<ciphertext and tag>`` holds one value, ``v1:<salt>:<sealed word>`` the
salt and a check of the passphrase. Source: sdk/go/common/resource/config/crypt.go of pulumi/pulumi.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from lab.engine.errors import EngineError

_CHECK_WORD = "pulumi"
_ROUNDS = 1_000_000


@lru_cache(maxsize=4)
def _derive(passphrase: str, salt: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 costs 50 ms that offline previews need not pay
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC  # noqa: PLC0415

    return PBKDF2HMAC(algorithm=hashes.SHA256(), length=32, salt=salt, iterations=_ROUNDS).derive(passphrase.encode())


class Crypter:
    """Seals and opens single values with one key."""

    def __init__(self, key: bytes, salt_text: str) -> None:
        """:param salt_text: what the file that holds the values must say, so that they can be opened again."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        self._cipher = AESGCM(key)
        self.salt_text = salt_text

    @classmethod
    def new(cls, passphrase: str) -> Crypter:
        """Make a crypter with a new salt."""
        salt = secrets.token_bytes(8)
        crypter = cls(_derive(passphrase, salt), "")
        crypter.salt_text = f"v1:{base64.b64encode(salt).decode()}:{crypter.seal(_CHECK_WORD)}"
        return crypter

    @classmethod
    def open(cls, passphrase: str, salt_text: str, where: str) -> Crypter:
        """Make the crypter for a file that says ``salt_text``.

        :raises EngineError: if the passphrase is not the one that the file was written with.
        """
        try:
            version, salt, sealed = salt_text.split(":", 2)
            crypter = cls(_derive(passphrase, base64.b64decode(salt, validate=True)), salt_text)
        except (ValueError, binascii.Error) as error:
            message = f"{where}: the encryption salt is damaged; restore the file from a backup"
            raise EngineError(message) from error
        if version != "v1":
            message = f"{where}: encryption salt of version {version!r}; this engine reads v1"
            raise EngineError(message)
        try:
            crypter.unseal(sealed)
        except ValueError as error:
            message = (
                f"{where}: incorrect passphrase; set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the "
                "one that the stack was made with"
            )
            raise EngineError(message) from error
        return crypter

    def seal(self, text: str) -> str:
        """Encrypt a text."""
        nonce = secrets.token_bytes(12)
        sealed = self._cipher.encrypt(nonce, text.encode(), None)
        return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"

    def unseal(self, sealed: str) -> str:
        """Decrypt a text.

        :raises ValueError: if it was not sealed with this key, or was changed since.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        try:
            _, nonce, body = sealed.split(":", 2)
            return self._cipher.decrypt(base64.b64decode(nonce), base64.b64decode(body), None).decode()
        except (InvalidTag, ValueError, binascii.Error) as error:
            message = "not sealed with this key"
            raise ValueError(message) from error


def passphrase_from(environment: Mapping[str, str]) -> str:
    """Return the passphrase that the environment names, as the real CLI finds it.

    :raises EngineError: if it names none.
    """
    if "PULUMI_CONFIG_PASSPHRASE" in environment:
        return environment["PULUMI_CONFIG_PASSPHRASE"]
    path = environment.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    if path is None:
        message = (
            "no passphrase for the stack's secrets: set PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE to"
            " a file of mode 600 that holds it"
        )
        raise EngineError(message)
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        message = f"PULUMI_CONFIG_PASSPHRASE_FILE={path}: {os.strerror(error.errno or 0)}; name a readable file"
        raise EngineError(message) from error

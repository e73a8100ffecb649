"""A cluster's own authorities and the certificates that they sign, with the subjects that Strimzi gives them."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_ORGANIZATION: Final = "io.strimzi"
_PEM: Final = serialization.Encoding.PEM


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key (PKCS #8), both PEM."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        """Say nothing of the key."""
        return "Pair(...)"


def authority(common_name: str, days: int) -> Pair:
    """Return a new authority that is good for a number of days."""
    return _authority(ec.generate_private_key(ec.SECP256R1()), _name(common_name), days)


def renewed(pair: Pair, days: int) -> Pair:
    """Return an authority with the same key and name that is good for a number of days from now.

    What it signed before is as good as before.
    """
    key = serialization.load_pem_private_key(pair.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return _authority(key, x509.load_pem_x509_certificate(pair.certificate).subject, days)


def _authority(key: ec.EllipticCurvePrivateKey, name: x509.Name, days: int) -> Pair:
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = _builder(name, name, key.public_key(), days)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return _pair(builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()), key)


def issue(issuer: Pair, common_name: str, hosts: Sequence[str], days: int) -> Pair:
    """Return a new certificate for a server, by all of its names, and for a client, by its common name."""
    authority_key = serialization.load_pem_private_key(issuer.key, None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    issuer_name = x509.load_pem_x509_certificate(issuer.certificate).subject
    builder = (
        _builder(_name(common_name), issuer_name, key.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(it) for it in hosts]), critical=False)
    return _pair(builder.sign(authority_key, hashes.SHA256()), key)


def lasts(certificate: bytes, days: int) -> bool:
    """Tell whether a certificate (PEM) is good for more than a number of days from now.

    :raises ValueError: if it is none.
    """
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc > datetime.now(UTC) + timedelta(days=days)


def serves(pair: Pair, issuer: Pair, common_name: str, hosts: Sequence[str], days: int) -> bool:
    """Tell whether a certificate can be kept: signed by that authority, for those names, for that many more days."""
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate)
        serialization.load_pem_private_key(pair.key, None)
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(issuer.certificate))
    except (ValueError, TypeError, InvalidSignature):
        return False
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        found: list[str] = []
    else:
        found = names.get_values_for_type(x509.DNSName)
    return certificate.subject == _name(common_name) and set(found) == set(hosts) and lasts(pair.certificate, days)


def load(context: ssl.SSLContext, pair: Pair) -> None:
    """Give a TLS context a certificate of its own.

    :raises ssl.SSLError: if certificate and key do not belong together.
    """
    # The standard library reads them from files alone.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "identity.pem"
        path.touch(mode=0o600)
        path.write_bytes(pair.certificate + pair.key)
        context.load_cert_chain(path)


def _name(common_name: str) -> x509.Name:
    # Java prints it in the reverse order: CN=...,O=io.strimzi is how Kafka's super users are named.
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Pair(certificate.public_bytes(_PEM), private)

"""A Kafka cluster's certificates, with the subjects that Strimzi gives them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from lab import certificates
from lab.certificates import Pair

_ORGANIZATION: Final = "io.strimzi"


def authority(common_name: str, days: int) -> Pair:
    """Return a new authority that is valid for a number of days."""
    return certificates.authority(_name(common_name), days)


def issue(issuer: Pair, common_name: str, hosts: Sequence[str], days: int) -> Pair:
    """Return a new certificate for a server with these names, and for a client with this common name."""
    return certificates.issue(issuer, _name(common_name), hosts, days)


def lasts(certificate: bytes, days: int) -> bool:
    """Tell whether a certificate (PEM) is valid for more than a number of days from now.

    :raises ValueError: if it is not a certificate.
    """
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc > datetime.now(UTC) + timedelta(days=days)


def serves(pair: Pair, issuer: Pair, common_name: str, hosts: Sequence[str], days: int) -> bool:
    """Tell whether a certificate can be kept: issued by that authority, for those names, valid for that many days."""
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


def _name(common_name: str) -> x509.Name:
    # Java prints it in the reverse order: CN=...,O=io.strimzi is how Kafka's super users are named.
    return certificates.name(common_name, _ORGANIZATION)

"""The facts in a server's certificate. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature


@dataclass(frozen=True)
class Facts:
    """The identities in a certificate, whether a root signed it, and its expiry."""

    identities: tuple[str, ...]
    signed_by_root: bool
    issuer: str
    expires: datetime


def facts(certificate: bytes, roots: str) -> Facts:
    """Return the facts in a certificate.

    :param certificate: in DER.
    :param roots: the authority's certificates, in PEM.
    """
    read = x509.load_der_x509_certificate(certificate)
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    identities = tuple(names.get_values_for_type(x509.UniformResourceIdentifier))
    return Facts(
        identities,
        any(_signed(read, root) for root in x509.load_pem_x509_certificates(roots.encode())),
        read.issuer.rfc4514_string(),
        read.not_valid_after_utc,
    )


def holds(found: Facts) -> bool:
    """Tell whether a certificate has not expired."""
    return found.expires > datetime.now(UTC)


def _signed(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True

"""The keys and certificates of one lab, made for it alone and signed by its own authority."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab import files

_LIFETIME: Final = timedelta(days=3650)
_PEM: Final = serialization.Encoding.PEM


@dataclass(frozen=True)
class Subject:
    """Who a certificate is for: its common name, its groups, and the names and addresses that it serves under."""

    common_name: str
    groups: Sequence[str] = ()
    hosts: Sequence[str] = ()


def subjects(address: str, api_service: str) -> dict[str, Subject]:
    """Return whoever needs a certificate, by the name of its files. Groups are what RBAC knows them by.

    :param address: where the servers listen.
    :param api_service: the address of the Service ``kubernetes``.
    """
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    here = (address, "localhost")
    return {
        "etcd": Subject("etcd", hosts=here),
        "etcd-client": Subject("kube-apiserver"),
        "kube-apiserver": Subject("kube-apiserver", hosts=(*here, api_service, *names)),
        "kube-apiserver-kubelet-client": Subject("kube-apiserver-kubelet-client"),
        "kube-controller-manager": Subject("system:kube-controller-manager"),
        "kubelet": Subject("system:node:lab", groups=("system:nodes",), hosts=here),
        "admin": Subject("admin", groups=("system:masters",)),
    }


def write(folder: Path, wanted: Mapping[str, Subject]) -> None:
    """Make what is not there yet: ``ca.crt``, a ``.crt`` and ``.key`` for each subject, the service-account key pair.

    Files have mode 600. The authority's key is never written: an incomplete set is made anew as a whole.
    """
    names = ["ca.crt", "service-account.key", "service-account.pub"]
    names += [f"{name}.{suffix}" for name in wanted for suffix in ("crt", "key")]
    if all((folder / name).is_file() for name in names):
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate(Subject("kafka-on-istio lab"), authority_key, None, authority_key)
    for name, subject in wanted.items():
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(subject, key, authority, authority_key)
        files.replace(folder / f"{name}.key", _private(key))
        files.replace(folder / f"{name}.crt", certificate.public_bytes(_PEM))
    account = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = account.public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    files.replace(folder / "service-account.key", _private(account))
    files.replace(folder / "service-account.pub", public)
    files.replace(folder / "ca.crt", authority.public_bytes(_PEM))


def untrusted(*hosts: str) -> bytes:
    """Return a server's certificate for names and addresses, and its key, as one PEM text.

    It is signed by an authority that was made for it and that nobody knows.
    """
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate(Subject("kafka-on-istio lab, outside"), authority_key, None, authority_key)
    certificate = _certificate(Subject(hosts[0], hosts=hosts), key, authority, authority_key)
    return certificate.public_bytes(_PEM) + _private(key)


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _certificate(
    subject: Subject,
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate | None,
    authority_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    """Return a certificate; without an authority, the authority's own."""
    name = x509.Name(
        [
            *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in subject.groups),
            x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name),
        ]
    )
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(authority.subject if authority else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if authority is None:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)  # noqa: FBT003
        builder = builder.add_extension(usage, critical=True)
    else:
        usages = [
            ExtendedKeyUsageOID.CLIENT_AUTH,
            *([ExtendedKeyUsageOID.SERVER_AUTH] if subject.hosts else []),
        ]
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        builder = builder.add_extension(issuer, critical=False)
    if subject.hosts:
        alternatives = x509.SubjectAlternativeName([_general_name(host) for host in subject.hosts])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(authority_key, hashes.SHA256())


def _general_name(host: str) -> x509.GeneralName:
    if host[0].isdigit():
        return x509.IPAddress(ip_address(host))
    return x509.DNSName(host)

"""The keys and certificates of one lab's control plane, signed by its own authority."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab import certificates, files

_DAYS: Final = 3650


@dataclass(frozen=True)
class Subject:
    """A certificate's common name, the groups that RBAC knows it by, and the names and addresses of its server."""

    common_name: str
    groups: Sequence[str] = ()
    hosts: Sequence[str] = ()


def subjects(address: str, api_service: str) -> dict[str, Subject]:
    """Return the subjects, by the names of their files.

    :param address: the address of the servers.
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
    """Write ``ca.crt``, a ``.crt`` and ``.key`` for each subject, and the service-account key pair, if one is missing.

    Files have mode 600. The authority's key is never written, so an incomplete set is replaced as a whole.
    """
    names = ["ca.crt", "service-account.key", "service-account.pub"]
    names += [f"{name}.{suffix}" for name in wanted for suffix in ("crt", "key")]
    if all((folder / name).is_file() for name in names):
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = certificates.authority(certificates.name("kafka-on-istio lab"), _DAYS)
    for name, subject in wanted.items():
        whose = certificates.name(subject.common_name, *subject.groups)
        pair = certificates.issue(authority, whose, subject.hosts, _DAYS, serves=bool(subject.hosts))
        files.replace(folder / f"{name}.key", pair.key)
        files.replace(folder / f"{name}.crt", pair.certificate)
    account = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = account.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    files.replace(folder / "service-account.key", certificates.private_pem(account))
    files.replace(folder / "service-account.pub", public)
    files.replace(folder / "ca.crt", authority.certificate)

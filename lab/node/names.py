"""The DNS names of Services and pods, as lines of a pod's hosts file. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lab.node.manifest import Manifest, labels


def endpoints(slices: Iterable[Manifest], *, ready: bool) -> Iterator[tuple[Manifest, Manifest]]:
    """Yield slices with each of their endpoints; those that are not ready only where that does not matter."""
    for piece in slices:
        for endpoint in piece.get("endpoints") or []:
            conditions: Mapping[str, Any] = endpoint.get("conditions") or {}
            if not ready or conditions.get("ready") is not False:
                yield piece, endpoint


def hosts(
    namespace: str,
    own: Mapping[str, str],
    services: Iterable[Manifest],
    slices: Iterable[Manifest],
    outside: Mapping[str, str],
    domain: str = "cluster.local",
) -> str:
    """Return the hosts file of a pod.

    :param namespace: the pod's; Services in it have their short names too.
    :param own: the pod's own names and addresses.
    :param outside: names and addresses of what is not in the cluster.
    """
    lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in own.items())]
    by_service: dict[tuple[str, str], list[Manifest]] = {}
    for piece in slices:
        owner = labels(piece).get("kubernetes.io/service-name", "")
        by_service.setdefault((piece["metadata"]["namespace"], owner), []).append(piece)
    for service in services:
        metadata, spec = service["metadata"], service["spec"]
        name, where = metadata["name"], metadata["namespace"]
        names = _forms(f"{name}.{where}", domain)
        if where == namespace:
            names.append(name)
        address = spec.get("clusterIP")
        if spec.get("type") == "ExternalName" or not address:
            continue
        if address != "None":
            lines.append(f"{address} {' '.join(names)}")
            continue
        unready = bool(spec.get("publishNotReadyAddresses"))
        for _, endpoint in endpoints(by_service.get((where, name), []), ready=not unready):
            for pod_address in endpoint["addresses"]:
                pods = [endpoint["hostname"]] if endpoint.get("hostname") else []
                own_names = [form for pod in pods for form in _forms(f"{pod}.{name}.{where}", domain)]
                if where == namespace:
                    own_names += [f"{pod}.{name}" for pod in pods]
                lines.append(f"{pod_address} {' '.join((*own_names, *names))}")
    lines += [f"{address} {name}" for name, address in outside.items()]
    return "\n".join(lines) + "\n"


def _forms(short: str, domain: str) -> list[str]:
    return [f"{short}.svc.{domain}", f"{short}.svc", short]

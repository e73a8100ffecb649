"""The environment and command of a container, from its specification, as a kubelet sets them."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from lightkube.utils.quantity import parse_quantity

from lab.node.manifest import Manifest

Lookup = Callable[[str, str], Mapping[str, str] | None]
"""Returns the data of a ``secret`` or ``configMap`` of the pod's namespace by kind and name; None if there is none."""

_REFERENCE: Final = re.compile(r"\$(\$|\(([-._a-zA-Z][-._a-zA-Z0-9]*)\))")
_KEYED: Final = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class MissingError(Exception):
    """What a container refers to is not there yet; the message names it."""


def environment(
    container: Manifest, pod: Manifest, addresses: Mapping[str, str], given: Mapping[str, str], lookup: Lookup
) -> dict[str, str]:
    """Return the variables of a container.

    :param addresses: ``pod`` and ``node``, and ``service`` (the API server's Service).
    :param given: what the image brings; the container's own variables come over it.
    :raises MissingError: if a Secret, a ConfigMap or a key that must be there is not.
    """
    result = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOSTNAME": hostname(pod),
        **given,
        **_api_server(addresses["service"]),
    }
    for source in container.get("envFrom") or []:
        for kind, field in (("secret", "secretRef"), ("configMap", "configMapRef")):
            if field in source:
                data = _data(kind, source[field], lookup)
                result |= {f"{source.get('prefix') or ''}{name}": value for name, value in data.items()}
    for item in container.get("env") or []:
        if "valueFrom" in item:
            value = _value(item["valueFrom"], container, pod, addresses, lookup)
            if value is not None:
                result[item["name"]] = value
        else:
            result[item["name"]] = expand(item.get("value") or "", result)
    return result


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` by the variable's value; an unknown name stays, and ``$$`` is one dollar sign."""

    def one(found: re.Match[str]) -> str:
        if found[1] == "$":
            return "$"
        return variables.get(found[2], found[0])

    return _REFERENCE.sub(one, text)


def command(container: Manifest, entry_point: tuple[str, ...], variables: Mapping[str, str]) -> list[str]:
    """Return the words to run: the container's command, else the image's entry point, then the container's args."""
    words = [*(container.get("command") or entry_point), *(container.get("args") or [])]
    return [expand(word, variables) for word in words]


def hostname(pod: Manifest) -> str:
    """Return the pod's host name."""
    return str(pod["spec"].get("hostname") or pod["metadata"]["name"])[:63]


def field(pod: Manifest, path: str, addresses: Mapping[str, str]) -> str:
    """Return the value of a ``fieldRef``; all labels or annotations come a line each, quoted."""
    metadata = pod["metadata"]
    if found := _KEYED.fullmatch(path):
        return str((metadata.get(found[1]) or {}).get(found[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        items = metadata.get(path.removeprefix("metadata.")) or {}
        return "\n".join(f'{name}="{_quoted(value)}"' for name, value in sorted(items.items()))
    values = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", ""),
        "status.podIP": addresses["pod"],
        "status.podIPs": addresses["pod"],
        "status.hostIP": addresses["node"],
        "status.hostIPs": addresses["node"],
    }
    if path not in values:
        message = f"fieldRef {path} is not supported by the lab's node"
        raise MissingError(message)
    return str(values[path])


def resource(container: Manifest, reference: Manifest) -> str:
    """Return the value of a ``resourceFieldRef``, rounded up; what is not set is what the machine has."""
    kind, _, name = reference["resource"].partition(".")
    resources = container.get("resources") or {}
    text = (resources.get(kind) or {}).get(name) or (resources.get("limits") or {}).get(name)
    amount = parse_quantity(str(text)) if text else Decimal(_machine(name))
    divisor = parse_quantity(str(reference.get("divisor") or "1")) or Decimal(1)
    return str(math.ceil((amount or Decimal(0)) / (divisor or Decimal(1))))


def _machine(name: str) -> int:
    if name == "cpu":
        return os.cpu_count() or 1
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _api_server(address: str) -> dict[str, str]:
    return {
        "KUBERNETES_SERVICE_HOST": address,
        "KUBERNETES_SERVICE_PORT": "443",
        "KUBERNETES_SERVICE_PORT_HTTPS": "443",
        "KUBERNETES_PORT": f"tcp://{address}:443",
        "KUBERNETES_PORT_443_TCP": f"tcp://{address}:443",
        "KUBERNETES_PORT_443_TCP_PROTO": "tcp",
        "KUBERNETES_PORT_443_TCP_PORT": "443",
        "KUBERNETES_PORT_443_TCP_ADDR": address,
    }


def _data(kind: str, reference: Manifest, lookup: Lookup) -> Mapping[str, str]:
    data = lookup(kind, reference["name"])
    if data is None:
        if reference.get("optional"):
            return {}
        message = f'{kind.lower()} "{reference["name"]}" not found'
        raise MissingError(message)
    return data


def _value(
    source: Manifest, container: Manifest, pod: Manifest, addresses: Mapping[str, str], lookup: Lookup
) -> str | None:
    if "fieldRef" in source:
        return field(pod, source["fieldRef"]["fieldPath"], addresses)
    if "resourceFieldRef" in source:
        return resource(container, source["resourceFieldRef"])
    kind = "secret" if "secretKeyRef" in source else "configMap"
    reference: Any = source[f"{kind}KeyRef"]
    data = _data(kind, reference, lookup)
    if reference["key"] not in data and not reference.get("optional"):
        message = f'key "{reference["key"]}" not found in {kind.lower()} "{reference["name"]}"'
        raise MissingError(message)
    return data.get(reference["key"])


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

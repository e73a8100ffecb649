"""The rules of kube-proxy and a network plug-in, for nftables. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Final

from lab.node import names
from lab.node.manifest import Manifest, container_port, containers, labels, selects

_AFTER_REDIRECTION: Final = -90
"""After Istio's own rules (-100): what a sidecar takes over is not for us."""


@dataclass(frozen=True)
class Cluster:
    """What rules are made of: all pods, namespaces, Services, EndpointSlices and NetworkPolicies."""

    pods: tuple[Manifest, ...]
    namespaces: tuple[Manifest, ...]
    services: tuple[Manifest, ...]
    slices: tuple[Manifest, ...]
    policies: tuple[Manifest, ...]


def table(name: str, chains: Iterable[str]) -> str:
    """Return the rules that replace a table by one of these chains, in one transaction."""
    body = "\n".join(chains)
    return f"table ip {name} {{}}\ndelete table ip {name}\ntable ip {name} {{\n{body}\n}}\n"


def service_chains(cluster: Cluster) -> list[str]:
    """Return the chains that lead from a Service's address to one of its ready endpoints, each as likely.

    What goes to a Service without any is refused.
    """
    rules = [rule for service in cluster.services for rule in _service(service, cluster.slices)]
    refusals = [
        f"ip daddr {service['spec']['clusterIP']} {port.get('protocol', 'TCP').lower()} dport {port['port']} {_REFUSE}"
        for service in cluster.services
        if _has_address(service)
        for port in service["spec"].get("ports") or []
        if not _targets(service, port, cluster.slices)
    ]
    return [
        _chain("services", f"type nat hook output priority {_AFTER_REDIRECTION}", rules),
        _chain("refusals", "type filter hook output priority -5", refusals),
    ]


def people_chain(bridge: str, people: IPv4Address) -> str:
    """Return the chain that gives what users of this machine other than root send to pods an address of its own.

    To pods they are strangers then, not the node, which NetworkPolicies always let in.
    """
    return _chain(
        "people", "type nat hook postrouting priority 100", [f"oifname {bridge} meta skuid != 0 snat to {people}"]
    )


_REFUSE: Final = "reject with icmp type port-unreachable"


def _has_address(service: Manifest) -> bool:
    return service["spec"].get("clusterIP") not in (None, "", "None") and service["spec"].get("type") != "ExternalName"


def _service(service: Manifest, slices: Iterable[Manifest]) -> Iterator[str]:
    if not _has_address(service):
        return
    for port in service["spec"].get("ports") or []:
        targets = _targets(service, port, slices)
        where = f"ip daddr {service['spec']['clusterIP']} {port.get('protocol', 'TCP').lower()} dport {port['port']}"
        if len(targets) == 1:
            address, number = targets[0]
            yield f"{where} dnat ip to {address}:{number}"
        elif targets:
            numbered = ", ".join(f"{index} : {address} . {number}" for index, (address, number) in enumerate(targets))
            yield f"{where} dnat ip to numgen random mod {len(targets)} map {{ {numbered} }}"


def _targets(service: Manifest, port: Manifest, slices: Iterable[Manifest]) -> list[tuple[str, int]]:
    metadata = service["metadata"]
    mine = [
        piece
        for piece in slices
        if piece["metadata"]["namespace"] == metadata["namespace"]
        and labels(piece).get("kubernetes.io/service-name") == metadata["name"]
        and piece.get("addressType", "IPv4") == "IPv4"
    ]
    ready = not service["spec"].get("publishNotReadyAddresses")
    found = set()
    for piece, endpoint in names.endpoints(mine, ready=ready):
        for item in piece.get("ports") or []:
            if (item.get("name") or "") == (port.get("name") or "") and item.get("port"):
                found |= {(address, item["port"]) for address in endpoint["addresses"]}
    return sorted(found)


def policy_chains(pod: Manifest, cluster: Cluster, node: IPv4Address) -> list[str]:
    """Return the chains that enforce the NetworkPolicies that select a pod.

    What comes from its node is always let in (Kubernetes, "Network Policies": a kubelet must reach its pods), and so
    are answers. What is not allowed is refused with an ICMP message, so that nobody waits for a timeout.
    """
    namespace = pod["metadata"]["namespace"]
    mine = [
        policy
        for policy in cluster.policies
        if policy["metadata"]["namespace"] == namespace
        and selects(policy["spec"].get("podSelector") or {}, labels(pod))
    ]
    chains = []
    for direction, chain, hook, end, own in (
        # Before a sidecar's own rules lead what comes in elsewhere, and after they have led what goes out.
        ("Ingress", "input", "prerouting priority -150", "saddr", [f"ip saddr {node} accept"]),
        ("Egress", "output", "output priority 0", "daddr", ["ip daddr 127.0.0.0/8 accept"]),
    ):
        policies = [policy for policy in mine if direction in _types(policy)]
        rules = []
        if policies:
            rules = ["ct state established,related accept", f"{'iif' if chain == 'input' else 'oif'} lo accept", *own]
            for policy in policies:
                for rule in policy["spec"].get(direction.lower()) or []:
                    rules += _rule(rule, direction, end, pod, namespace, cluster)
            rules.append("reject with icmp type admin-prohibited")
        chains.append(_chain(chain, f"type filter hook {hook}", rules))
    return chains


def _types(policy: Manifest) -> list[str]:
    spec = policy["spec"]
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]


def _rule(rule: Manifest, direction: str, end: str, pod: Manifest, namespace: str, cluster: Cluster) -> Iterator[str]:
    peers = rule.get("from" if direction == "Ingress" else "to")
    ports = rule.get("ports")
    if not peers:
        yield from _allow("", ports, [pod] if direction == "Ingress" else list(cluster.pods))
        return
    for peer in peers:
        if "ipBlock" in peer:
            block = peer["ipBlock"]
            if ":" in block["cidr"]:
                # No pod of the lab has an IPv6 address.
                continue
            match = f"ip {end} {block['cidr']} "
            if block.get("except"):
                match += f"ip {end} != {{ {', '.join(block['except'])} }} "
            yield from _allow(match, ports, [pod] if direction == "Ingress" else [])
            continue
        found = [other for other in _peers(peer, namespace, cluster) if _address(other)]
        for group in _by_named_ports(ports, [pod] if direction == "Ingress" else found, found):
            addresses = sorted({_address(other) for other in group.members})
            if addresses:
                yield from _allow(f"ip {end} {{ {', '.join(addresses)} }} ", ports, group.owners)


@dataclass(frozen=True)
class _Group:
    """Pods on the other end, and those whose container ports give a port's name its number."""

    members: list[Manifest]
    owners: list[Manifest]


def _by_named_ports(ports: Any, owners: list[Manifest], found: list[Manifest]) -> Iterator[_Group]:
    named = any(isinstance(item.get("port"), str) for item in ports or [])
    if named and owners is found:
        yield from (_Group([other], [other]) for other in found)
    else:
        yield _Group(found, owners)


def _peers(peer: Manifest, namespace: str, cluster: Cluster) -> Iterator[Manifest]:
    spaces = {namespace}
    if "namespaceSelector" in peer:
        selector = peer["namespaceSelector"] or {}
        spaces = {space["metadata"]["name"] for space in cluster.namespaces if selects(selector, labels(space))}
    selector = peer.get("podSelector") or {}
    for other in cluster.pods:
        if other["metadata"]["namespace"] in spaces and selects(selector, labels(other)):
            yield other


def _address(pod: Manifest) -> str:
    return str((pod.get("status") or {}).get("podIP") or "")


def _allow(match: str, ports: Any, owners: list[Manifest]) -> Iterator[str]:
    if not ports:
        yield f"{match}accept"
        return
    for item in ports:
        protocol, port = item.get("protocol", "TCP").lower(), item.get("port")
        if port is None:
            yield f"{match}ip protocol {protocol} accept"
        elif isinstance(port, str):
            numbers = {
                number
                for owner in owners
                for container in containers(owner)
                if (number := container_port(container, port)) is not None
            }
            yield from (f"{match}{protocol} dport {number} accept" for number in sorted(numbers))
        else:
            last = f"-{item['endPort']}" if item.get("endPort") else ""
            yield f"{match}{protocol} dport {port}{last} accept"


def _chain(name: str, kind: str, rules: Iterable[str]) -> str:
    lines = [f"{kind}; policy accept;", *rules]
    return f"chain {name} {{\n" + "\n".join(f"  {line}" for line in lines) + "\n}"

"""A lab's network on this machine: a bridge, address ranges, and a network namespace per pod."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.ids import Ids, refuse_taken

LABS: Final = 60
"""How many labs can be on one machine."""

_USERS: Final = Path("/run/userns")
"""Where the user namespaces of what is attached have names, as ``ip netns`` gives names to those of the network."""

_HAS_IPV6: Final = Path("/proc/sys/net/ipv6")

OUTSIDE: Final = IPv4Network("198.51.100.0/24")
"""What stands for the world outside the cluster: addresses that are nobody's (RFC 5737)."""

OUTSIDE_NAMES: Final = "outside.json"
"""In the node's folder: names and addresses of what is outside the cluster, as whoever stands for it has them."""


@dataclass(frozen=True)
class Network:
    """The addresses of lab number ``index``: a bridge with the node's address, a range of pods, a range of Services.

    Labs are told apart by their number, so that none disturbs another.
    """

    index: int

    @property
    def bridge(self) -> str:
        """Name of the bridge; all else on the machine that belongs to this network is named after it."""
        return f"koi{self.index}"

    @property
    def pods(self) -> IPv4Network:
        """The range of pods' addresses."""
        return IPv4Network(f"10.{192 + self.index}.0.0/17")

    @property
    def services(self) -> IPv4Network:
        """The range of Services' addresses."""
        return IPv4Network(f"10.{192 + self.index}.128.0/17")

    @property
    def node(self) -> IPv4Address:
        """The node's address, that of the bridge: API server and kubelet listen there."""
        return self.pods[1]

    @property
    def people(self) -> IPv4Address:
        """The address of the machine that its users but root have for pods."""
        return self.pods[-2]

    @property
    def ids(self) -> Ids:
        """The ids of the machine that are the containers'."""
        return Ids(self.index)

    @property
    def api_service(self) -> IPv4Address:
        """The address of the Service ``kubernetes``, the first of its range."""
        return self.services[1]

    def namespace(self, number: int | str) -> str:
        """Return the name of the network namespace of an attachment."""
        return f"{self.bridge}-{number}"

    def users(self, number: int | str) -> Path:
        """Return where the user namespace of an attachment is."""
        return _USERS / self.namespace(number)

    def exists(self) -> bool:
        """Tell whether the bridge is there."""
        return _run(["ip", "link", "show", "dev", self.bridge], check=False).returncode == 0

    def up(self) -> None:
        """Make the bridge where it is not there.

        :raises LabError: if this process may not, or the machine has a route to these addresses, or other use for the
            ids.
        """
        if self.exists():
            return
        overlap = overlapping(self, _run(["ip", "-4", "route", "show", "table", "all"]).stdout)
        if overlap:
            message = (
                f"network {self.pods.supernet()}: the machine has a route to {overlap}; choose another number for this"
                f" lab, 0 to {LABS - 1}, with --network (now {self.index})"
            )
            raise LabError(message)
        refuse_taken(self.ids)
        batch(
            [
                # Of its own, or it would change with the interfaces that come and go, and pods would lose it.
                f"link add {self.bridge} address 02:00:00:00:00:{self.index:02x} type bridge",
                f"address add {self.node}/{self.pods.prefixlen} dev {self.bridge}",
                f"address add {self.people}/32 dev {self.bridge}",
                f"link set {self.bridge} up",
                # Otherwise a Service's address would be asked for from another interface's address.
                f"route add {self.services} dev {self.bridge} src {self.node}",
            ]
        )

    def attach(self, number: int | str, address: IPv4Address) -> None:
        """Make a network namespace with an interface on the bridge; what a kill left half done is made anew.

        It belongs to a user namespace of its own: who is root there has no rights over the machine, and the ids in its
        firewall's rules are those of containers (xt_owner takes them as the owner of the network namespace does).

        The interface has no IPv6 address: neither NetworkPolicies nor sidecars of the lab would hold for it. Whoever is
        in the namespace may send ICMP echoes, as in containers of containerd 2 and CRI-O.
        """
        namespace, port = self.namespace(number), f"{self.bridge}v{number}"
        self.detach(number)
        self._make_namespaces(number)
        settings = {"net.ipv4.ping_group_range": "0 2147483647"}
        if _HAS_IPV6.exists():
            settings["net.ipv6.conf.default.disable_ipv6"] = "1"
        self.configure(number, settings)
        prefix = self.pods.prefixlen if address in self.pods else OUTSIDE.prefixlen
        batch(
            [
                f"link add {port} master {self.bridge} type veth peer name eth0 netns {namespace}",
                f"link set {port} up",
            ]
        )
        inside = [f"address add {address}/{prefix} dev eth0", "link set lo up", "link set eth0 up"]
        if address in self.pods:
            inside += [f"route add default via {self.node}", f"route add {OUTSIDE} dev eth0"]
        else:
            inside.append(f"route add {self.pods} dev eth0")
        batch(inside, namespace)

    def _make_namespaces(self, number: int | str) -> None:
        keep = ["unshare", "--user", "--net", "/bin/sh", "-c", "echo && cat"]
        with subprocess.Popen(keep, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
            assert process.stdout is not None
            if not process.stdout.readline():
                message = "unshare: cannot create a user namespace"
                raise LabError(message)
            here = Path("/proc") / str(process.pid)
            for kind in ("uid_map", "gid_map"):
                (here / kind).write_text(self.ids.mapping, encoding="ascii")
            _run(["ip", "netns", "attach", self.namespace(number), str(process.pid)])
            self.users(number).parent.mkdir(exist_ok=True)
            self.users(number).touch()
            _run(["mount", "--bind", str(here / "ns" / "user"), str(self.users(number))])

    def configure(self, number: int | str, settings: Mapping[str, str]) -> None:
        """Set kernel parameters of a network namespace, by names such as ``net.ipv4.ip_unprivileged_port_start``.

        :raises LabError: if the kernel refuses one.
        """
        enter = ["nsenter", f"--net=/run/netns/{self.namespace(number)}", "/bin/sh", "-c", 'echo "$1" >"$0"']
        for name, value in settings.items():
            _run([*enter, f"/proc/sys/{name.replace('.', '/')}", value])

    def detach(self, number: int | str) -> None:
        """Remove the namespaces of an attachment and its interface; nothing happens where there is none."""
        _run(["umount", str(self.users(number))], check=False)
        self.users(number).unlink(missing_ok=True)
        _run(["ip", "netns", "delete", self.namespace(number)], check=False)
        # The interface goes with the namespace only once its last process has ended.
        _run(["ip", "link", "delete", f"{self.bridge}v{number}"], check=False)

    def attachments(self) -> list[str]:
        """Return the numbers of what is attached."""
        prefix = self.namespace("")
        listed = _run(["ip", "netns", "list"]).stdout.split("\n")
        names = [line.split()[0] for line in listed if line.strip()]
        return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]

    def down(self) -> None:
        """Remove the bridge, all that is attached to it and the rules for it."""
        for number in self.attachments():
            self.detach(number)
        _run(["nft", "delete", "table", "ip", self.bridge], check=False)
        _run(["ip", "link", "delete", self.bridge], check=False)


def preferred(name: str) -> int:
    """Return the number that a lab of that name gets where it is free; the default lab's is 0."""
    if name == "lab":
        return 0
    return 1 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % (LABS - 1)


def overlapping(network: Network, routes: str) -> str | None:
    """Return the first route of ``ip -4 route`` that has addresses of the network in it, but for the default."""
    wanted = network.pods.supernet()
    for line in routes.splitlines():
        words = line.split()
        found = next((word for word in words[:2] if word[:1].isdigit()), None)
        if found and IPv4Network(found, strict=False).overlaps(wanted):
            return found
    return None


def batch(commands: Iterable[str], namespace: str | None = None) -> None:
    """Run commands of ``ip``, in a network namespace if one is named.

    :raises LabError: if one fails.
    """
    where = ["-netns", namespace] if namespace else []
    result = _run(["ip", *where, "-batch", "-"], "\n".join(commands), check=False)
    if result.returncode:
        raise LabError(_said("ip", result.stderr))


def nft(rules: str, namespace: str | None = None) -> None:
    """Give nftables its rules in one transaction, in a network namespace if one is named.

    :raises LabError: if they are refused.
    """
    where = ["nsenter", f"--net=/run/netns/{namespace}"] if namespace else []
    result = _run([*where, "nft", "-f", "-"], rules, check=False)
    if result.returncode:
        raise LabError(_said("nft", result.stderr))


def _said(command: str, error: str) -> str:
    line = (error.strip().splitlines() or ["no output"])[0]
    fix = "; run as root" if "not permitted" in line else ""
    return f"{command}: {line}{fix}"


def _run(command: Sequence[str], text: str | None = None, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, input=text, capture_output=True, text=True, check=check)  # noqa: S603
    except subprocess.CalledProcessError as error:
        raise LabError(_said(command[0], error.stderr)) from error
    except FileNotFoundError as error:
        message = f"{command[0]} is not on PATH; `make environment` installs what the lab needs"
        raise LabError(message) from error

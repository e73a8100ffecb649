"""The OCI configuration of a container, from a pod's specification. Pure."""

from __future__ import annotations

import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab.node.manifest import Manifest

_CAPABILITIES: Final = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
"""What a container engine lets root keep."""

_SYSTEM: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Folders that are links into /usr on most systems, and folders of their own on others."""

POD_FILES: Final = "/.pod"
"""Where a container sees the files that the node keeps current for its pod."""


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine, and where the container sees it."""

    source: Path
    target: str
    read_only: bool = True


@dataclass(frozen=True)
class User:
    """Whom a container runs as."""

    user: int
    group: int
    groups: tuple[int, ...] = ()


def user(container: Manifest, pod: Manifest, default: int) -> User:
    """Return whom a container runs as.

    :param default: the image's user.
    :raises ValueError: if it would be root and must not.
    """
    above: Mapping[str, Any] = pod["spec"].get("securityContext") or {}
    own: Mapping[str, Any] = container.get("securityContext") or {}

    def setting(name: str) -> Any:
        return own[name] if own.get(name) is not None else above.get(name)

    number = setting("runAsUser")
    number = default if number is None else number
    if number == 0 and setting("runAsNonRoot"):
        message = "container has runAsNonRoot and would run as root"
        raise ValueError(message)
    group = setting("runAsGroup")
    groups = [*(above.get("supplementalGroups") or [])]
    if above.get("fsGroup") is not None:
        groups.append(above["fsGroup"])
    return User(number, number if group is None else group, tuple(groups))


def capabilities(container: Manifest) -> list[str]:
    """Return the capabilities that a container may have."""
    context: Mapping[str, Any] = container.get("securityContext") or {}
    changes: Mapping[str, Any] = context.get("capabilities") or {}
    dropped = set(changes.get("drop") or [])
    kept = [] if "ALL" in dropped else [name for name in _CAPABILITIES if name not in dropped]
    kept += changes.get("add") or []
    return [f"CAP_{name.removeprefix('CAP_')}" for name in dict.fromkeys(kept)]


def configuration(
    *,
    container: Manifest,
    words: Sequence[str],
    variables: Mapping[str, str],
    runs_as: User,
    mounts: Sequence[Mount],
    root: Path,
    host: str,
    network: Path,
    users: Path,
    processes: Path | None = None,
) -> dict[str, Any]:
    """Return a container's ``config.json`` (OCI runtime specification 1.0).

    :param root: its root folder.
    :param network: the network namespace that it joins.
    :param users: the user namespace that it joins.
    :param processes: the PID namespace that it joins; its own without one.
    """
    context: Mapping[str, Any] = container.get("securityContext") or {}
    allowed = capabilities(container)
    # A user other than root has a capability only by a file that grants it, as in any container engine.
    effective = allowed if runs_as.user == 0 else []
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    pid: dict[str, str] = {"type": "pid"} | ({"path": str(processes)} if processes else {})
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {
                "uid": runs_as.user,
                "gid": runs_as.group,
                "additionalGids": list(runs_as.groups),
            },
            "args": list(words),
            "env": [f"{name}={value}" for name, value in variables.items()],
            "cwd": container.get("workingDir") or "/",
            "noNewPrivileges": context.get("allowPrivilegeEscalation") is False,
            "capabilities": {"bounding": allowed, "effective": effective, "permitted": effective},
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": files, "hard": files}],
        },
        "root": {"path": str(root), "readonly": bool(context.get("readOnlyRootFilesystem"))},
        "hostname": host,
        "mounts": [*_system_mounts(), *(_bound(mount) for mount in _outermost_first(mounts))],
        "linux": {
            "namespaces": [
                {"type": "user", "path": str(users)},
                pid,
                {"type": "mount"},
                {"type": "ipc"},
                {"type": "uts"},
                {"type": "network", "path": str(network)},
            ],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
            "readonlyPaths": ["/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }


def _system_mounts() -> list[dict[str, Any]]:
    return [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
        {
            "destination": "/dev/pts",
            "type": "devpts",
            "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
        },
        {
            "destination": "/dev/shm",  # noqa: S108 the container's own
            "type": "tmpfs",
            "source": "shm",
            "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
        },
    ]


def _outermost_first(mounts: Sequence[Mount]) -> list[Mount]:
    return sorted(mounts, key=lambda mount: mount.target.rstrip("/").count("/"))


def _bound(mount: Mount) -> dict[str, Any]:
    options = ["rbind", "rprivate", "nosuid", "nodev", "ro" if mount.read_only else "rw"]
    return {"destination": mount.target, "type": "bind", "source": str(mount.source), "options": options}


def system(root: Path) -> list[Mount]:
    """Return this machine's programs and libraries as mounts, and give ``root`` the links and folders of a system.

    ``/etc`` is the container's own: names are looked up in the files that the node keeps for its pod.
    """
    mounts = [Mount(Path("/usr"), "/usr")]
    for name in _SYSTEM:
        path = Path("/") / name
        if path.is_symlink():
            (root / name).symlink_to(path.readlink())
        elif path.is_dir():
            mounts.append(Mount(path, str(path)))
    for folder, mode in (("tmp", 0o1777), ("var/tmp", 0o1777), ("run", 0o755), ("var/lib", 0o755), ("etc", 0o755)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder).chmod(mode)
    (root / "var" / "run").symlink_to("../run")
    etc = root / "etc"
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n", encoding="ascii")
    # Nobody is asked for names that are not in the hosts file; programs want to read where to ask all the same.
    (etc / "resolv.conf").write_text("nameserver 127.0.0.1\noptions attempts:1 timeout:1\n", encoding="ascii")
    (etc / "hosts").symlink_to(f"{POD_FILES}/hosts")
    for name in ("ssl", "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "ca-certificates"):
        path = Path("/etc") / name
        if path.exists():
            mounts.append(Mount(path.resolve() if name == "localtime" else path, f"/etc/{name}"))
    return mounts


def accounts(runs_as: User) -> dict[str, str]:
    """Return ``passwd`` and ``group`` for a container whose user this is."""
    users = {0: "root", 65534: "nobody", runs_as.user: "root" if runs_as.user == 0 else "user"}
    groups = {0: "root", 65534: "nogroup"} | {number: f"group{number}" for number in (runs_as.group, *runs_as.groups)}
    return {
        "passwd": "".join(
            f"{name}:x:{number}:{runs_as.group if name == 'user' else number}::/tmp:/bin/sh\n"
            for number, name in users.items()
        ),
        "group": "".join(f"{name}:x:{number}:\n" for number, name in groups.items()),
    }

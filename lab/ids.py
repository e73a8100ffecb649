"""The machine's user and group ids of a lab's containers."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.errors import LabError

COUNT: Final = 65_536
"""How many ids a container has, from 0, which is its root."""

_FIRST: Final = 1_879_048_192
"""systemd's table of ids (UIDS-GIDS) has nobody from here to 2147352575: no person, service or other container."""

_NAMESPACES: Final = Path("/proc/sys/user/max_user_namespaces")
_SUBORDINATE: Final = (Path("/etc/subuid"), Path("/etc/subgid"))


@dataclass(frozen=True)
class Ids:
    """The range of lab number ``index``: id ``n`` of its containers is id ``first + n`` of the machine."""

    index: int

    @property
    def first(self) -> int:
        """The id of the machine that the containers' root has."""
        return _FIRST + self.index * COUNT

    def of(self, number: int) -> int:
        """Return the id of the machine for one of a container.

        :raises ValueError: if containers have no such id.
        """
        if not 0 <= number < COUNT:
            message = f"id {number}: the lab's containers have the ids 0 to {COUNT - 1}"
            raise ValueError(message)
        return self.first + number

    @property
    def mapping(self) -> str:
        """The range as ``uid_map`` and ``gid_map`` of a user namespace take it (user_namespaces(7))."""
        return f"0 {self.first} {COUNT}\n"

    def has(self, first: int, count: int = 1) -> bool:
        """Tell whether any of ``count`` ids of the machine from ``first`` on is in the range."""
        return first < self.first + COUNT and self.first < first + count


def taken(ids: Ids, accounts: Iterable[tuple[str, int]], ranges: Iterable[tuple[str, str]]) -> str | None:
    """Return who uses an id of the range; None if nobody does.

    :param accounts: what has one id, with that.
    :param ranges: files in the format of subuid(5), with their text.
    """
    for name, number in accounts:
        if ids.has(number):
            return f"{name} has {number}"
    for name, text in ranges:
        for line in text.splitlines():
            owner, _, numbers = line.partition(":")
            first, _, count = numbers.partition(":")
            if first.isdigit() and count.isdigit() and ids.has(int(first), int(count)):
                return f"{owner} has {first} to {int(first) + int(count) - 1} in {name}"
    return None


def refuse_taken(ids: Ids) -> None:
    """Refuse ids that are in use, and a machine without user namespaces, before anything of the lab runs.

    :raises LabError: naming who uses them.
    """
    if not _NAMESPACES.exists() or int(_NAMESPACES.read_text(encoding="ascii")) == 0:
        message = f"{_NAMESPACES} is 0 or missing: the lab's containers need user namespaces; allow some with sysctl"
        raise LabError(message)
    ranges = [(str(path), path.read_text(encoding="utf-8")) for path in _SUBORDINATE if path.exists()]
    found = taken(ids, _accounts(), ranges)
    if found:
        message = (
            f"ids {ids.first} to {ids.first + COUNT - 1} are the lab's containers' on this machine, but {found};"
            " choose another number for this lab with --network"
        )
        raise LabError(message)


def _accounts() -> Iterator[tuple[str, int]]:
    yield from ((f"user {entry.pw_name}", entry.pw_uid) for entry in pwd.getpwall())
    yield from ((f"group {entry.gr_name}", entry.gr_gid) for entry in grp.getgrall())
    for process in Path("/proc").glob("[0-9]*"):
        try:
            lines = (process / "status").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        words = [line.split() for line in lines]
        numbers = {int(number) for row in words if row[0] in ("Uid:", "Gid:", "Groups:") for number in row[1:]}
        yield from ((f"process {process.name}", number) for number in sorted(numbers))

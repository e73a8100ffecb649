"""The report's commit for a partition: where to read again after a restart, and what is already reported."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec


@dataclass(frozen=True)
class Checkpoint:
    """A committed offset with what goes into its metadata; times are milliseconds since the epoch.

    ``offset``: every record below it belongs to no window that is open or whose lines may not be out yet.
    ``position``: the offset up to which the partition was read.
    ``closed``: every window that begins before it is closed; of its records only those below ``position`` count.
    ``reported``: the lines of every window that begins before it are out.
    """

    offset: int
    position: int = 0
    closed: int = 0
    reported: int = 0

    def metadata(self) -> str:
        """Return everything but the offset as JSON."""
        found = _Metadata(self.position, self.closed, self.reported)
        return msgspec.json.encode(found).decode("ascii")

    @classmethod
    def parse(cls, offset: int, metadata: str | None) -> Checkpoint:
        """Return what was committed; of metadata that somebody else wrote nothing is known but the offset."""
        try:
            found = msgspec.json.decode(metadata or "", type=_Metadata)
        except msgspec.DecodeError:
            return cls(offset, position=offset)
        return cls(offset, found.position, found.closed, found.reported)


class _Metadata(msgspec.Struct):
    position: int
    closed: int
    reported: int

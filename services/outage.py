"""Reports each kind of failure once while it lasts."""

from __future__ import annotations


class Outage:
    """The kinds of failure that were reported since the last recovery."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def begins(self, *kinds: str) -> bool:
        """Record the first kind, and tell whether none of the kinds was recorded before."""
        is_new = self._told.isdisjoint(kinds)
        self._told.add(kinds[0])
        return is_new

    def ends(self) -> bool:
        """Clear all, and tell whether there was any."""
        had = bool(self._told)
        self._told.clear()
        return had

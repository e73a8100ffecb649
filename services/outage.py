"""Says each kind of trouble once while it lasts."""

from __future__ import annotations


class Outage:
    """The kinds of trouble that were told since it last was over."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def begins(self, *kinds: str) -> bool:
        """Note the first of the kinds, and say whether neither it nor any of the others was noted before."""
        is_new = self._told.isdisjoint(kinds)
        self._told.add(kinds[0])
        return is_new

    def ends(self) -> bool:
        """Forget all, and say whether there was any."""
        had = bool(self._told)
        self._told.clear()
        return had

"""Previews whose random values are drawn, so that one preview's result can be the state of the next.

In an ordinary preview a password is unknown, and whatever takes it is unknown: two such previews cannot be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from lab.engine.provider import Context, Provider
from lab.engine.providers import FACTORIES, Factory
from lab.engine.random import RandomProvider
from lab.engine.values import Properties


class SettledRandomProvider(RandomProvider):
    """Draws in a preview what an update would draw."""

    async def create(self, context: Context, inputs: Properties) -> tuple[str, Properties]:
        """Draw the password."""
        return await super().create(replace(context, preview=False), inputs)


def _random(settings: Properties, directory: Path, offline: bool) -> Provider:  # noqa: ARG001 a Factory's parameters
    return SettledRandomProvider()


SETTLED: Final[Mapping[str, Factory]] = {**FACTORIES, "random": _random}

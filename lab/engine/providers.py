"""Which packages this engine has, and the live providers of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from lab.engine.errors import EngineError
from lab.engine.provider import Provider
from lab.engine.state import Resource
from lab.engine.urn import package_of
from lab.engine.values import Properties, has_unknown, reveal

Factory = Callable[[Properties, Path, bool], Provider]
"""Makes a provider of its settings, the program's folder, and whether it may contact nothing."""


def _kubernetes(settings: Properties, directory: Path, offline: bool) -> Provider:
    from lab.engine.kubernetes import KubernetesProvider  # noqa: PLC0415 costs what a run without it need not pay

    return KubernetesProvider(settings, directory, offline)


def _random(settings: Properties, directory: Path, offline: bool) -> Provider:  # noqa: ARG001 a Factory's parameters
    from lab.engine.random import RandomProvider  # noqa: PLC0415

    return RandomProvider()


FACTORIES: Final[Mapping[str, Factory]] = {"kubernetes": _kubernetes, "random": _random}


class Providers:
    """One live provider for each provider resource."""

    def __init__(self, directory: Path, *, offline: bool = False, factories: Mapping[str, Factory] = FACTORIES) -> None:
        """:param directory: the program's, which paths are relative to."""
        self._directory = directory
        self._offline = offline
        self._factories = factories
        self._live: dict[str, tuple[Properties, Provider]] = {}

    def require(self, package: str, what: str) -> None:
        """Refuse a package that this engine has not.

        :raises EngineError: naming it.
        """
        if package not in self._factories:
            message = f"{what}: this engine has no package {package!r}, only {', '.join(sorted(self._factories))}"
            raise EngineError(message)

    def get(self, resource: Resource) -> Provider:
        """Return the provider that a provider resource describes; one whose settings are unknown contacts nothing.

        :raises EngineError: if there is no such package.
        :raises ProviderError: if a setting is refused.
        """
        inputs = reveal(resource.inputs)
        known = self._live.get(resource.urn)
        if known and known[0] == inputs:
            return known[1]
        package = package_of(resource.type)
        self.require(package, resource.urn)
        offline = self._offline or has_unknown(inputs)
        settings = {key: value for key, value in inputs.items() if key != "version"}
        made = self._factories[package]({} if has_unknown(inputs) else settings, self._directory, offline)
        self._live[resource.urn] = (inputs, made)
        return made

    async def close(self) -> None:
        """Let go of all connections."""
        for _, provider in self._live.values():
            await provider.close()
        self._live.clear()

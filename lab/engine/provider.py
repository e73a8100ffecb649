"""The one interface between the engine and what makes resources.

Providers get plain values: secret marks are taken off before a call and put back by the engine (on what stood
secret at the same place of the inputs, and on ``Provider.secret_outputs``). Unknown values (``values.UNKNOWN``)
reach a provider in a preview only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lab.engine.values import Properties


class ProviderError(Exception):
    """A call failed; the message is for the user and holds no secret."""


class ImmutableFieldError(ProviderError):
    """The object cannot be changed in place: the engine replaces it."""


@dataclass(frozen=True)
class Context:
    """What a call is about.

    ``timeout`` is in seconds (None: the provider's own default); ``status`` shows a line beside the resource in
    the progress view.
    """

    urn: str
    type: str
    name: str
    preview: bool = False
    timeout: float | None = None
    status: Callable[[str], None] = field(default=lambda _: None)


@dataclass(frozen=True)
class Diff:
    """What changes between a resource's state and its new inputs.

    ``paths`` and ``replace_paths`` (the part of them that cannot change in place) are dotted property paths such as
    ``spec.replicas`` or ``spec.containers[0].image``.
    """

    paths: tuple[str, ...] = ()
    replace_paths: tuple[str, ...] = ()
    delete_before_replace: bool = False


@dataclass(frozen=True)
class Live:
    """A resource as it is outside: its id, what its inputs would be, and its outputs."""

    id: str
    inputs: Properties
    outputs: Properties


@dataclass(frozen=True)
class Child:
    """A resource that a remote component consists of; ``type`` and ``name`` make its URN."""

    type: str
    name: str
    inputs: Properties


@dataclass(frozen=True)
class Construction:
    """What a remote component consists of.

    ``waves`` are registered one after the other (each waits for the one before, and is deleted before it), the
    children within one at the same time. ``opaque`` says why the children are not known (a chart that is not on
    disk in an offline preview); there are none then.
    """

    waves: Sequence[Sequence[Child]] = ()
    opaque: str | None = None


class Provider(Protocol):
    """Makes, changes and deletes the resources of one package."""

    async def check(self, context: Context, old_inputs: Properties | None, inputs: Properties) -> Properties:
        """Return the inputs to record: defaults and the generated name filled in.

        A generated name is a pure function of the URN and of ``replaced_name`` (see ``rename``), so that a preview
        shows it and an interrupted run finds it again. ``old_inputs`` are those in the state, if any.

        :raises ProviderError: if the inputs are refused.
        """
        ...

    async def rename(self, context: Context, old_inputs: Properties, inputs: Properties) -> Properties:
        """Return ``inputs`` for a replacement that exists beside the old one: a new generated name, if it has one."""
        ...

    async def diff(self, context: Context, old_inputs: Properties, old_outputs: Properties, inputs: Properties) -> Diff:
        """Compare a resource's state with its checked new inputs."""
        ...

    async def create(self, context: Context, inputs: Properties) -> tuple[str, Properties]:
        """Make the resource and return its id and outputs; in a preview foresee them.

        In a preview the id is ignored. Doing it twice with the same inputs is harmless.

        :raises ProviderError: if it failed.
        """
        ...

    async def update(
        self, context: Context, identifier: str, old_outputs: Properties, inputs: Properties
    ) -> Properties:
        """Change the resource in place and return its outputs; in a preview foresee them.

        :raises ImmutableFieldError: if it must be replaced (found out by a dry run).
        :raises ProviderError: if it failed.
        """
        ...

    async def read(
        self, context: Context, identifier: str | None, inputs: Properties, outputs: Properties
    ) -> Live | None:
        """Return the resource as it is outside, or None if it is gone.

        ``identifier`` is None where a run was killed while it made the resource: ``inputs`` then say which it is.
        """
        ...

    async def delete(self, context: Context, identifier: str, outputs: Properties) -> None:
        """Delete the resource and wait until it is gone; one that is gone already is no error."""
        ...

    async def construct(self, context: Context, inputs: Properties) -> Construction:
        """Return the children of a remote component.

        :raises ProviderError: if the type is not supported or its inputs are refused.
        """
        ...

    def secret_outputs(self, type_token: str) -> frozenset[str]:
        """Return the names of the top-level outputs that are always secret."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...

"""URNs: ``urn:pulumi:<stack>::<project>::<parent types joined by $><type>::<name>``."""

from __future__ import annotations

from typing import Final

STACK_TYPE: Final = "pulumi:pulumi:Stack"
PROVIDER_PREFIX: Final = "pulumi:providers:"


def make(stack: str, project: str, parent: str, type_token: str, name: str) -> str:
    """Return the URN of a resource; ``parent`` is its parent's URN, or empty.

    Source: Pulumi's documentation of URNs; the stack's own type is no part of its children's chain.
    """
    chain = ""
    if parent:
        parent_types = qualified_type(parent)
        if parent_types != STACK_TYPE:
            chain = f"{parent_types}$"
    return f"urn:pulumi:{stack}::{project}::{chain}{type_token}::{name}"


def qualified_type(urn: str) -> str:
    """Return the type with its parents' types before it."""
    return urn.split("::", 3)[2]


def type_of(urn: str) -> str:
    """Return the resource's own type token."""
    return qualified_type(urn).rsplit("$", 1)[-1]


def name_of(urn: str) -> str:
    """Return the resource's name."""
    return urn.split("::", 3)[3]


def package_of(type_token: str) -> str:
    """Return the package of a type; a provider's is the package that it provides."""
    if type_token.startswith(PROVIDER_PREFIX):
        return type_token.removeprefix(PROVIDER_PREFIX)
    return type_token.split(":", 1)[0]


def is_provider(type_token: str) -> bool:
    """Tell whether a type is that of a provider."""
    return type_token.startswith(PROVIDER_PREFIX)

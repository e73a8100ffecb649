"""What a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from guardrails.registered import Resource

ResourceCheck = Callable[[Resource], Iterator[str]]
StackCheck = Callable[[Sequence[Resource]], Iterator["Violation"]]


@dataclass(frozen=True)
class Violation:
    """What is wrong, and with which resource; ``urn`` is None when it is something that the stack lacks."""

    message: str
    urn: str | None = None


@dataclass(frozen=True)
class ResourceRule:
    """A rule about one resource. ``check`` yields what is wrong with it, a sentence each without its full stop."""

    name: str
    reason: str
    fix: str
    check: ResourceCheck


@dataclass(frozen=True)
class StackRule:
    """A rule about all resources of a stack; one for ``production`` is off until the pack's configuration asks."""

    name: str
    reason: str
    fix: str
    check: StackCheck
    production: bool = False


Rule = ResourceRule | StackRule


def resource_rule(name: str, *, reason: str, fix: str) -> Callable[[ResourceCheck], ResourceRule]:
    """Make a rule of a function on one resource."""
    return lambda check: ResourceRule(name, reason, fix, check)


def stack_rule(name: str, *, reason: str, fix: str, production: bool = False) -> Callable[[StackCheck], StackRule]:
    """Make a rule of a function on all resources of a stack."""
    return lambda check: StackRule(name, reason, fix, check, production)


def violations(rule: Rule, resources: Sequence[Resource]) -> Iterator[Violation]:
    """Hold a stack's resources against a rule."""
    if isinstance(rule, StackRule):
        yield from rule.check(resources)
    else:
        for resource in resources:
            yield from (Violation(message, resource.urn) for message in rule.check(resource))

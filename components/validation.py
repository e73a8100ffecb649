"""Checks of components' arguments, before anything is registered."""

from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Any, NotRequired, Union, get_args, get_origin, is_typeddict

import pulumi


def check(component: str, args: Mapping[str, Any], kind: Any, faults: Iterable[str] = ()) -> None:
    """Raise pulumi.RunError with every fault of the arguments, and with others that the component found.

    ``component`` is its type and name, ``kind`` the TypedDict of its arguments.
    """
    found = [*argument_faults(args, kind), *faults]
    if found:
        raise pulumi.RunError("\n  ".join([f"{component}: the arguments are invalid:", *found]))


def argument_faults(args: Any, kind: Any, path: str = "") -> Iterator[str]:
    """Yield a line for each unknown and each missing key; Pulumi outputs are not checked.

    ``kind`` is a TypedDict, or a list or union with one.
    """
    if is_typeddict(kind) and isinstance(args, Mapping):
        hints = kind.__annotations__
        for key, value in args.items():
            if key in hints:
                yield from argument_faults(value, hints[key], f"{path}.{key}" if path else key)
            else:
                yield f"{_at(path, key)}: unknown argument; allowed are {', '.join(sorted(hints))}"
        for key in sorted(kind.__required_keys__ - args.keys()):
            yield f"{_at(path, key)} is missing"
    elif get_origin(kind) is list and isinstance(args, list):
        for index, item in enumerate(args):
            yield from argument_faults(item, get_args(kind)[0], f"{path}[{index}]")
    elif get_origin(kind) in (NotRequired, Union, UnionType):
        for option in get_args(kind):
            yield from argument_faults(args, option, path)


def exclusive(args: Mapping[str, Any], complete: str, others: Iterable[str], path: str = "") -> Iterator[str]:
    """Yield a line if the arguments have a complete specification, and others that it would override."""
    both = [other for other in others if other in args]
    if complete in args and both:
        yield f"{_at(path, complete)}: replaces {', '.join(both)}; set only one of them"


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key

"""Names that may appear once."""

from collections import Counter
from collections.abc import Iterable, Iterator


def duplicates(path: str, what: str, values: Iterable[str]) -> Iterator[str]:
    """Yield a fault for each value that appears more than once in the list at ``path``."""
    for value, count in Counter(values).items():
        if count > 1:
            yield f"{path}: the {what} {value!r} appears {count} times; each may appear once"

"""The page about a stack that Pulumi Cloud shows, its output ``readme``."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_OUTPUT: Final = re.compile(r"\$\{outputs\.([\w.]+)\}")


def of(text: str, outputs: Mapping[str, Any]) -> str:
    """Return a page without what speaks of outputs that a stack has not.

    Of a table or a block of commands such lines go, and all of it if none is left; of anything else the paragraph. A
    paragraph that ends with a colon goes with what it leads up to. ``outputs`` are names with values, or with further
    names.
    """
    return "\n\n".join(_kept(re.split(r"(?<!:)\n\n+", text.strip()), outputs)) + "\n"


def _kept(paragraphs: list[str], outputs: Mapping[str, Any]) -> Iterator[str]:
    for paragraph in paragraphs:
        lines = paragraph.splitlines()
        missing = [line for line in lines if not _has_all(line, outputs)]
        by_line = all(line.startswith("|") for line in missing) or "```" in paragraph
        left = [line for line in lines if line not in missing]
        if not missing or (by_line and any(_OUTPUT.search(line) for line in left)):
            yield "\n".join(left)


def _has_all(line: str, outputs: Mapping[str, Any]) -> bool:
    return all(_has(path.split("."), outputs) for path in _OUTPUT.findall(line))


def _has(path: list[str], outputs: Any) -> bool:
    head, *rest = path
    return head in outputs and (not rest or _has(rest, outputs[head]))

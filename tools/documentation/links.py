"""Whether what a document refers to is there: files, headings, targets of the Makefile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tools.documentation.markdown import Document, parse

_SPAN = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
_MAKE = re.compile(r"\bmake ([a-z][\w./-]*)")
_TARGET = re.compile(r"^([\w./-]+(?: [\w./-]+)*):(?!=)", re.MULTILINE)


def documents(root: Path) -> list[Path]:
    """Return the project's documents for people."""
    return sorted((*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("examples/**/*.md")))


def faults(path: Path, root: Path) -> Iterator[str]:
    """Yield a line for each reference of a document that leads nowhere.

    :param path: the document, below ``root``.
    """
    document = parse(path.read_text(encoding="utf-8"))
    for link in document.links:
        fault = _link_fault(link, path, document, root)
        if fault:
            yield f"{path.relative_to(root)}: {link}: {fault}"
    folders = {item.name for item in root.iterdir() if item.is_dir() and not item.name.startswith(".")}
    for span in document.spans:
        first = span.partition("/")[0]
        if _SPAN.fullmatch(span) and "/" in span and first in folders and not (root / span).exists():
            yield f"{path.relative_to(root)}: `{span}`: no such file"
    known = targets((root / "Makefile").read_text(encoding="utf-8"))
    for target in dict.fromkeys(_made(document)):
        if target not in known:
            yield f"{path.relative_to(root)}: make {target}: the Makefile has no such target"


def targets(makefile: str) -> frozenset[str]:
    """Return the targets of a Makefile."""
    return frozenset(word for found in _TARGET.finditer(makefile) for word in found[1].split())


def _made(document: Document) -> Iterator[str]:
    """Yield the targets that a document's commands make."""
    commands = [line.removeprefix("$ ") for block in document.blocks for line in block.text.splitlines()]
    for text in (*document.spans, *commands):
        if text.startswith("make "):
            yield from _MAKE.findall(text)


def _link_fault(link: str, path: Path, document: Document, root: Path) -> str | None:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None if parts.scheme == "https" and parts.netloc else "must be https, or a path in the project"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_relative_to(root.resolve()):
        return "leads out of the project"
    if not target.exists():
        return "no such file"
    if not parts.fragment:
        return None
    if target.suffix != ".md":
        return "only documents have headings"
    anchors = document.anchors if target == path else parse(target.read_text(encoding="utf-8")).anchors
    return None if parts.fragment in anchors else "no such heading"

"""The commands in documents that are to be run, and the settings that are to be tried. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.documentation.markdown import Block, Document

_PROMPT = "$ "
_GAP = "..."


@dataclass(frozen=True)
class Command:
    """A command, the lines that it is said to print among others, and its line in the document."""

    words: str
    lines: tuple[str, ...]
    line: int


def runnable(document: Document) -> Iterator[Command]:
    """Yield the commands of blocks that begin with three backticks and ``console runnable``.

    A command follows ``$ ``; the lines below it are printed by it in that order, ``...`` standing for any others.
    """
    for block in document.blocks:
        if block.words == ("console", "runnable"):
            yield from _commands(block)


def _commands(block: Block) -> Iterator[Command]:
    for piece in block.text.removeprefix(_PROMPT).split(f"\n{_PROMPT}"):
        words, *lines = re.split(r"(?<!\\)\n", piece.strip())
        yield Command(words, tuple(line for line in lines if line.strip() not in ("", _GAP)), block.line)


def settings(document: Document) -> Iterator[Block]:
    """Yield the blocks that hold a stack's settings: those that begin with three backticks and ``yaml settings``."""
    return (block for block in document.blocks if block.words == ("yaml", "settings"))


def missing(lines: tuple[str, ...], output: str) -> str | None:
    """Return the first of the lines that an output does not have in this order; None if it has all."""
    printed = iter(line.strip() for line in output.splitlines())
    return next((line for line in lines if line.strip() not in printed), None)

"""What a Markdown document holds: headings, links, code. Pure."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark").enable("table")
_ANCHOR = re.compile(r"<a\s[^>]*\b(?:id|name)=\"([^\"]+)\"")


@dataclass(frozen=True)
class Block:
    """A fenced block: the words after its fence, its text, and the line (from 1) of the fence."""

    words: tuple[str, ...]
    text: str
    line: int


@dataclass(frozen=True)
class Document:
    """A document's text, parsed."""

    anchors: frozenset[str]
    """What a link can name after ``#``."""
    links: tuple[str, ...]
    """Targets of links and pictures."""
    spans: tuple[str, ...]
    """Code within lines."""
    blocks: tuple[Block, ...]
    """Fenced blocks."""


def parse(text: str) -> Document:
    """Return what a text in CommonMark with tables holds."""
    tokens = _PARSER.parse(text)
    inline = [child for token in tokens for child in token.children or ()]
    return Document(
        anchors=frozenset((*_slugs(tokens), *_ANCHOR.findall(text))),
        links=tuple(
            str(token.attrs["href" if token.type == "link_open" else "src"])
            for token in inline
            if token.type in ("link_open", "image")
        ),
        spans=tuple(token.content for token in inline if token.type == "code_inline"),
        blocks=tuple(
            Block(tuple(token.info.split()), token.content, (token.map or [0])[0] + 1)
            for token in tokens
            if token.type == "fence"
        ),
    )


def _slugs(tokens: list[Token]) -> Iterator[str]:
    """Yield the anchors of headings, as GitHub makes them: the second of a name ends with ``-1``."""
    seen: Counter[str] = Counter()
    for opening, content in itertools.pairwise(tokens):
        if opening.type != "heading_open":
            continue
        said = "".join(child.content for child in content.children or () if child.type in ("text", "code_inline"))
        slug = "".join(_kept(character) for character in said.strip().lower())
        yield f"{slug}-{seen[slug]}" if seen[slug] else slug
        seen[slug] += 1


def _kept(character: str) -> str:
    if character == " ":
        return "-"
    return character if character in "-_" or unicodedata.category(character)[0] in "LNM" else ""

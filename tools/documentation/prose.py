"""``python -m tools.documentation.prose``: report wordings that docs/glossary.md replaces by a term.

Reads the prose of Markdown files, without code, and the string literals of Python files, docstrings included.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.documentation.generated import ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def replaced(glossary: str) -> dict[str, str]:
    """Return the term for each wording in the glossary's last column."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in glossary.splitlines() if line[:2] == "| "]
    return {wording: row[0] for row in rows[1:] for wording in row[2].split(", ") if wording}


def faults(text: str, terms: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Yield the line, from 1, and the message of each wording in a text."""
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, terms))})\b", re.IGNORECASE)
    for found in pattern.finditer(text):
        yield text.count("\n", 0, found.start()) + 1, f"'{found[0]}': say '{terms[found[0].lower()]}'"


def markdown_prose(text: str) -> str:
    """Return a Markdown text with blanks in place of its code."""
    return _CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), text)


def python_prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the first line and the value of each string literal in a Python source."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def main() -> int:
    """Print every fault, and return 1 if there is one."""
    terms = replaced(GLOSSARY.read_text(encoding="utf-8"))
    listed = subprocess.run(["git", "ls-files", "*.md", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    count = 0
    for name in map(Path, listed.stdout.splitlines()):
        # The changelog quotes past releases.
        if name.parts[0] == "tests" or name in (GLOSSARY.relative_to(ROOT), Path("CHANGELOG.md")):
            continue
        text = (ROOT / name).read_text(encoding="utf-8")
        parts = [(1, markdown_prose(text))] if name.suffix == ".md" else python_prose(text)
        for start, part in parts:
            for line, message in faults(part, terms):
                sys.stderr.write(f"{name}:{start + line - 1}: {message}\n")
                count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())

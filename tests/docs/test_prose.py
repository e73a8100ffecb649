"""The prose check reports the wordings that the glossary replaces, and leaves code alone."""

from __future__ import annotations

import pytest

from tools.documentation.prose import GLOSSARY, faults, markdown_prose, python_prose, replaced

pytestmark = pytest.mark.unit

TERMS = {"crew": "probe session", "way in": "ingress"}


def test_a_wording_is_reported_with_its_line_and_its_term() -> None:
    text = "One line.\nThe Crew waits.\n\n```\nway in\n```\n`crew` and a screw.\nThe way in."
    assert list(faults(markdown_prose(text), TERMS)) == [
        (2, "'Crew': say 'probe session'"),
        (8, "'way in': say 'ingress'"),
    ]


def test_messages_and_docstrings_are_read_and_names_are_not() -> None:
    source = '"""The crew."""\ncrew = f"no {1} way in"\n'
    found = [(line, message) for line, part in python_prose(source) for _, message in faults(part, TERMS)]
    assert found == [(1, "'crew': say 'probe session'"), (2, "'way in': say 'ingress'")]


def test_the_glossary_gives_the_terms() -> None:
    assert replaced(GLOSSARY.read_text(encoding="utf-8"))["way in"] == "ingress"
    assert replaced("| Term | Meaning | Instead of |\n|---|---|---|\n| a | b | c, d |") == {"c": "a", "d": "a"}

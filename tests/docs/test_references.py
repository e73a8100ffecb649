"""What the documents refer to is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.documentation.generated import ROOT
from tools.documentation.links import documents, faults
from tools.documentation.markdown import parse

pytestmark = pytest.mark.unit

DOCUMENTS = {str(path.relative_to(ROOT)): path for path in documents(ROOT)}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_reference_leads_somewhere(name: str) -> None:
    assert not list(faults(DOCUMENTS[name], ROOT))


def test_every_document_is_named_in_the_readme() -> None:
    named = parse(DOCUMENTS["README.md"].read_text(encoding="utf-8")).links
    assert {name for name in DOCUMENTS if name.startswith("docs/")} <= set(named)


def test_what_leads_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "Makefile").write_text("up: environment ## Start\n")
    (tmp_path / "README.md").write_text("# Some `code`, twice\n\n## A b\n\n## A b\n")
    text = """# Here
    [good](../README.md#some-code-twice) [second](../README.md#a-b-1) [own](#here) [web](https://example.com/a)
    [gone](gone.md) [heading](../README.md#a-b-2) [own](#there) [plain](http://example.com) [out](../../etc/hosts)
    ![picture](gone.svg) `docs/here.md` `docs/gone.py` `and/or` `make up` `make down`

```console
$ make up NAME=a
$ make dawn
```
"""
    path = tmp_path / "docs" / "here.md"
    path.write_text("\n".join(line.removeprefix("    ") for line in text.splitlines()))
    assert list(faults(path, tmp_path)) == [
        "docs/here.md: gone.md: no such file",
        "docs/here.md: ../README.md#a-b-2: no such heading",
        "docs/here.md: #there: no such heading",
        "docs/here.md: http://example.com: must be https, or a path in the project",
        "docs/here.md: ../../etc/hosts: leads out of the project",
        "docs/here.md: gone.svg: no such file",
        "docs/here.md: `docs/gone.py`: no such file",
        "docs/here.md: make down: the Makefile has no such target",
        "docs/here.md: make dawn: the Makefile has no such target",
    ]


def test_only_headings_outside_of_code_are_anchors() -> None:
    assert parse("# One: *two* `a_b`\n```\n# four\n```\n").anchors == {"one-two-a_b"}

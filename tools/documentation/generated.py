"""The parts of documents that are generated: which there are, where they stand, and how they get there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from harness.program import Program
from kafka_on_istio.access.model import from_json
from tools.documentation import components, configuration, reference, system

ROOT: Final = Path(__file__).parents[2]
PLACES: Final = ("README.md", "docs/architecture.md", "docs/components.md", "docs/configuration.md")
"""The documents with generated parts, by their paths from ROOT."""

_STACK: Final = "dev"
_PART: Final = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def parts(schema: Mapping[str, Any]) -> Mapping[str, str]:
    """Return every generated part by its name, in Markdown.

    :param schema: that of the plugin.
    :raises ProgramFailedError: if the program fails.
    """
    preview = Program(ROOT).preview(stack=_STACK)
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    stacks = {
        path.name.split(".")[1]: yaml.safe_load(path.read_text(encoding="utf-8"))["config"]
        for path in ROOT.glob("Pulumi.*.yaml")
    }
    return {
        "system": _mermaid(system.diagram(from_json(preview.outputs["accessModel"]))),
        "components": _mermaid(components.diagram(preview.resources)),
        "configuration": configuration.reference(project, stacks),
        "reference": reference.reference(schema),
    }


def _mermaid(diagram: str) -> str:
    return f"```mermaid\n{diagram}\n```"


def filled(text: str, made: Mapping[str, str]) -> str:
    """Return a document with its generated parts, each between ``<!-- generated: NAME -->`` and ``<!-- end -->``.

    :raises KeyError: if it names a part that there is not.
    """
    return _PART.sub(lambda found: f"{found[1]}\n{made[found[2]]}\n\n{found[3]}", text)


def names(text: str) -> tuple[str, ...]:
    """Return the names of a document's generated parts."""
    return tuple(found[2] for found in _PART.finditer(text))

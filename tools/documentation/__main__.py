"""``python -m tools.documentation``: write the generated parts of the documents, and the plugin's schema, anew."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from kafka_on_istio.access.model import json_schema
from kafka_on_istio.settings.project import project_config
from tools.documentation import plugin, project
from tools.documentation.generated import PLACES, ROOT, filled, parts


def main() -> None:
    """Write the generated files: Pulumi.yaml first, because the others follow from it."""
    settings = ROOT / "Pulumi.yaml"
    current = {settings: project.filled(settings.read_text(encoding="utf-8"), project_config())}
    current[ROOT / "docs" / "access-model.schema.json"] = json.dumps(json_schema(), indent=2) + "\n"
    write(current)
    schema = plugin.schema()
    made = parts(schema)
    current = {ROOT / place: filled((ROOT / place).read_text(encoding="utf-8"), made) for place in PLACES}
    write(current | {plugin.SCHEMA: plugin.text(schema)})


def write(current: Mapping[Path, str]) -> None:
    """Write each file that differs, and say which."""
    for path, text in current.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(ROOT)}: updated\n")


if __name__ == "__main__":
    main()

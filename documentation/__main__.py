"""``python -m documentation``: write the generated parts of the documents, and the plugin's schema, anew."""

from __future__ import annotations

import sys

from documentation import plugin
from documentation.generated import PLACES, ROOT, filled, parts


def main() -> None:
    """Write each file that is not current, and say which."""
    schema = plugin.schema()
    made = parts(schema)
    current = {ROOT / place: filled((ROOT / place).read_text(encoding="utf-8"), made) for place in PLACES}
    current[plugin.SCHEMA] = plugin.text(schema)
    for path, text in current.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(ROOT)}: written anew\n")


if __name__ == "__main__":
    main()

"""``python -m documentation``: write the generated parts of the documents anew."""

from __future__ import annotations

import sys

from documentation.generated import PLACES, ROOT, filled, parts


def main() -> None:
    """Write each document that is not current, and say which."""
    made = parts()
    for place in PLACES:
        path = ROOT / place
        text = path.read_text(encoding="utf-8")
        current = filled(text, made)
        if current != text:
            path.write_text(current, encoding="utf-8")
            sys.stdout.write(f"{place}: written anew\n")


if __name__ == "__main__":
    main()

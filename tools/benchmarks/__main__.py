"""``python -m tools.benchmarks [SECTION ...]``: all measurements, or those that are named."""

from __future__ import annotations

import argparse
import importlib

SECTIONS = {
    "engine": "how long the Pulumi engine takes, the program itself, and how much memory",
    "report": "how fast the report is, against Kafka Streams",
    "chain": "what it costs a reply that calls are logged to Kafka",
    "up": "how long it takes from `make up` to the first reply, and how much memory the lab has then",
    "mesh": "what sidecars cost a reply, and how long a change of policy takes",
}
"""The modules here that measure, and what each does."""


def main() -> None:
    """Measure."""
    lines = "\n".join(f"  {name:<10}{what}" for name, what in SECTIONS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tools.benchmarks",
        description=f"Measure, and print tables. Sections:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help="what to measure (all)")
    chosen = parser.parse_args().sections or list(SECTIONS)
    if unknown := [name for name in chosen if name not in SECTIONS]:
        parser.error(f"section {', '.join(unknown)}: it must be one of {', '.join(SECTIONS)}")
    for name in chosen:
        print(f"-- {name}: {SECTIONS[name]}", flush=True)
        importlib.import_module(f"tools.benchmarks.{name}").main()


if __name__ == "__main__":
    main()

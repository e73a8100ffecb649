"""``python -m tools.ci.image``: have stacks run one image of the services, by its digest, from their next update on."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from tools.ci.command import CommandError, leave

_BY_DIGEST = re.compile(r"[a-z0-9][a-z0-9._:/-]*@sha256:[0-9a-f]{64}")
_SET = re.compile(r"^  kafka-on-istio:image:.*$", re.MULTILINE)
_CONFIG = re.compile(r"^config:\n", re.MULTILINE)


def with_image(text: str, image: str) -> str:
    """Return a stack's settings with that image, and all else, comments too, as it was. Pure.

    :raises CommandError: if the settings have no ``config``.
    """
    line = f"  kafka-on-istio:image: {image}"
    if _SET.search(text):
        return _SET.sub(line, text)
    if not _CONFIG.search(text):
        raise CommandError("no line `config:` to put the image under")
    return _CONFIG.sub(f"config:\n{line}\n", text, count=1)


def main(arguments: Sequence[str]) -> int:
    """Write the settings, and return an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.ci.image", description="Have stacks run one image.")
    parser.add_argument("image", help="registry/name@sha256:...")
    parser.add_argument("stacks", nargs="+", metavar="stack")
    parser.add_argument("--cwd", default=".", type=Path, help="the project's folder (default: this one)")
    options = parser.parse_args(arguments)
    if not _BY_DIGEST.fullmatch(options.image):
        raise CommandError(f"image {options.image}: must end in @sha256: and 64 hexadecimal digits; a tag can move")
    files = [options.cwd / f"Pulumi.{stack}.yaml" for stack in options.stacks]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise CommandError(f"stack {options.stacks[files.index(missing[0])]}: there is no {missing[0]}")
    for file in files:
        file.write_text(with_image(file.read_text(encoding="utf-8"), options.image), encoding="utf-8")
    return 0


if __name__ == "__main__":
    leave(main)

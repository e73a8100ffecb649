"""``python -m services.image``: builds the image of the services, and makes it available to a cluster.

A tool of the project, not part of the image. Standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
DOCKERFILE: Final = "services/Dockerfile"
IGNORED: Final = f"{DOCKERFILE}.dockerignore"
REPOSITORY: Final = "kafka-on-istio/services"
ENGINES: Final = ("docker", "podman")

_ARCHIVE: Final = ".lab/services-image.tar"


@dataclass(frozen=True)
class Machine:
    """A machine's running container engine (one of ENGINES), and its kind clusters."""

    engine: str | None
    clusters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Commands to run in the project's folder, and lines to print after them."""

    commands: tuple[tuple[str, ...], ...]
    advice: tuple[str, ...]


class ImageError(Exception):
    """The image cannot be built; the message gives the reason and the fix."""


def plan(machine: Machine, image: str, *, push: bool) -> Plan:
    """Return how to build an image and make it available to a cluster. Pure.

    :param image: its name with a tag.
    :param push: push it to its registry, even if there are kind clusters.
    :raises ImageError: if there is no container engine.
    """
    engine = machine.engine
    if engine is None:
        raise ImageError("no container engine answers here: install docker or podman, or start docker's daemon")
    ignored = ("--ignorefile", IGNORED) if engine == "podman" else ()
    build = (engine, "build", "--file", DOCKERFILE, *ignored, "--tag", image, ".")
    if push:
        return Plan((build, (engine, "push", image)), _by_digest(engine, image))
    if not machine.clusters:
        advice = (
            f"To push it:             {engine} push {image}",
            "(or: make image IMAGE=registry/name:tag PUSH=1)",
            *_by_digest(engine, image),
        )
        return Plan((build,), advice)
    advice = ("The nodes of kind have it. To run it:", f"  pulumi config set image {image}")
    return Plan((build, *_loading(engine, machine.clusters, image)), advice)


def _loading(engine: str, clusters: Iterable[str], image: str) -> list[tuple[str, ...]]:
    if engine == "docker":
        return [("kind", "load", "docker-image", image, "--name", cluster) for cluster in clusters]
    # kind loads by docker's own means or from an archive.
    return [
        (engine, "save", "--output", _ARCHIVE, image),
        *(("kind", "load", "image-archive", _ARCHIVE, "--name", cluster) for cluster in clusters),
    ]


def _by_digest(engine: str, image: str) -> tuple[str, ...]:
    inspect = f"{engine} image inspect --format '{{{{index .RepoDigests 0}}}}' {image}"
    return ("Once it is pushed, to run exactly this one:", f'  pulumi config set image "$({inspect})"')


def tag(files: Iterable[Path]) -> str:
    """Return 12 hexadecimal digits of a hash of the image's sources."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
        digest.update(path.name.encode())
    return digest.hexdigest()[:12]


def sources() -> list[Path]:
    """Return the image's sources."""
    package = [path for path in (ROOT / "services").glob("*.py") if path.name != Path(__file__).name]
    return [*package, *(ROOT / name for name in (DOCKERFILE, "services/requirements.lock"))]


def inspect() -> Machine:
    """Inspect this machine."""
    engine = next((name for name in ENGINES if _output(name, "info") is not None), None)
    return Machine(engine, tuple((_output("kind", "get", "clusters") or "").split()))


def _output(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 our own commands
    return None if result.returncode else result.stdout


def main(arguments: list[str]) -> int:
    """Build the image, and return an exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.image", description="Build the image of the services.")
    parser.add_argument("--image", help=f"name with a tag (default: {REPOSITORY}:HASH-OF-THE-SOURCES)")
    parser.add_argument("--push", action="store_true", help="push it to the registry in its name")
    options = parser.parse_args(arguments)
    image = options.image or f"{REPOSITORY}:{tag(sources())}"
    try:
        found = plan(inspect(), image, push=options.push)
    except ImageError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    (ROOT / _ARCHIVE).parent.mkdir(exist_ok=True)
    for command in found.commands:
        code = subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603 our own commands
        if code:
            sys.stderr.write(f"error: {' '.join(command)} failed with exit code {code}; see what it says above\n")
            return 1
    sys.stdout.writelines(f"{line}\n" for line in found.advice)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

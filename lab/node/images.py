"""What stands for a container image here: a command of this machine, for each image that the lab knows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab import cache
from lab.kafka.distribution import distribution

ROOT = Path(__file__).parent.parent.parent
PYTHON = str(ROOT / ".venv" / "bin" / "python")


@dataclass(frozen=True)
class Image:
    """How an image's entry point starts here.

    ``mounts`` are files and folders of this machine that its containers see, read-only and at the same paths;
    ``prepare`` is called with the image's tag before the first container of it starts, as a pull would be.
    """

    entry_point: tuple[str, ...]
    user: int
    mounts: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[str], None] = lambda _: None


def table(binaries: Path) -> Mapping[str, Image]:
    """Return the images by the last part of their names; a registry and a tag in front and behind do not matter.

    :param binaries: the folder with the commands built from Go modules.
    """
    python = (ROOT / ".venv", Path(sys.base_prefix))
    project = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    lab = {
        "user": 1001,
        "mounts": (*python, ROOT / "lab", cache.folder()),
        "environment": project | {"XDG_CACHE_HOME": str(cache.folder().parent)},
    }
    return {
        "services": Image((PYTHON, "-m", "services"), 10001, (*python, ROOT / "services"), project),
        "operator": Image((PYTHON, "-m", "lab.strimzi"), **lab),  # type: ignore[arg-type]
        "kafka": Image((PYTHON, "-m", "lab.kafka.run"), prepare=_kafka, **lab),  # type: ignore[arg-type]
        "pilot": Image((str(binaries / "pilot-discovery"),), 1337, (binaries,)),
    }


def _kafka(tag: str) -> None:
    """Have the release that a tag such as ``1.2.0-kafka-4.3.1`` names."""
    distribution(tag.rpartition("-")[2])


def parts(reference: str) -> tuple[str, str]:
    """Return the last part of an image's name, and its tag or digest, ``latest`` where there is neither.

    >>> parts("quay.io:443/strimzi/kafka:1.2.0-kafka-4.3.1")
    ('kafka', '1.2.0-kafka-4.3.1')
    """
    last = reference.rpartition("/")[2]
    name, _, digest = last.partition("@")
    name, _, tag = name.partition(":")
    return name, digest or tag or "latest"

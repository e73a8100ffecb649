"""The container images of the lab: a command of this machine for each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab import cache
from lab.binaries.build import prometheus, prometheus_folder
from lab.kafka.distribution import distribution
from lab.node.bundle import Mount
from lab.proxy import contents

ROOT = Path(__file__).parent.parent.parent
PYTHON = str(ROOT / ".venv" / "bin" / "python")


@dataclass(frozen=True)
class Image:
    """How an image's entry point starts here.

    ``mounts`` are the files and folders of this machine that its containers see; ``prepare`` is called with the image's
    tag before a container of it starts, as a pull would be.
    """

    entry_point: tuple[str, ...]
    user: int
    mounts: tuple[Mount, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[str], None] = lambda _: None


def table(binaries: Path) -> Mapping[str, Image]:
    """Return the images by the last part of their names; a registry and a tag in front and behind do not matter.

    :param binaries: the folder with the commands built from Go modules.
    :raises LabError: if a part of an image cannot be had.
    """
    python = _here(ROOT / ".venv", Path(sys.base_prefix))
    proxy = contents(binaries)
    path = f"{ROOT / '.venv' / 'bin'}:/usr/local/bin:/usr/bin:/bin"
    project = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PATH": path}
    lab = {
        "user": 1001,
        "mounts": (*python, *_here(ROOT / "lab", cache.folder())),
        "environment": project | {"XDG_CACHE_HOME": str(cache.folder().parent)},
    }
    return {
        "services": Image((PYTHON, "-m", "services"), 10001, (*python, *_here(ROOT / "services")), environment=project),
        "operator": Image((PYTHON, "-m", "lab.strimzi"), **lab),  # type: ignore[arg-type]
        "kafka": Image((PYTHON, "-m", "lab.strimzi.broker_container"), prepare=_kafka, **lab),  # type: ignore[arg-type]
        "pilot": Image((str(binaries / "pilot-discovery"),), 1337, _here(binaries)),
        "proxyv2": Image(
            ("/usr/local/bin/pilot-agent",),
            1337,
            (Mount(proxy / "bin", "/usr/local/bin"), Mount(proxy / "istio", "/var/lib/istio/envoy")),
        ),
        "jaeger": Image((PYTHON, "-m", "lab.tracing"), **lab),  # type: ignore[arg-type]
        "prometheus": Image(
            (str(prometheus_folder() / "prometheus"),),
            65534,
            _here(prometheus_folder()),
            prepare=lambda _: _built_prometheus(),
        ),
    }


def _here(*paths: Path) -> tuple[Mount, ...]:
    """Return mounts of files and folders at the same paths, read-only."""
    return tuple(Mount(path, str(path)) for path in paths)


def _built_prometheus() -> None:
    prometheus()


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

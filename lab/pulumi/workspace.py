"""A Pulumi workspace of a lab: the folder from which the engine runs a program, and the environment it runs in.

The engine writes to the settings of the stack that it runs, so that it gets copies. Nothing is written to the
program's own folder.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from lab import files
from lab.errors import LabError
from lab.pulumi.engine import Engine

PASSPHRASE: Final = "PULUMI_CONFIG_PASSPHRASE"  # noqa: S105 the name of a variable
_STRUCTURED: Final = ("object", "array", "boolean", "integer")


@dataclass(frozen=True)
class Workspace:
    """The workspace of one program and stack.

    ``folder`` is the lab's folder for everything of Pulumi: backend, passphrase, home and the programs' workspaces.
    """

    folder: Path
    program: Path
    stack: str
    kubeconfig: Path

    @property
    def project(self) -> str:
        """The name of the program's project.

        :raises LabError: if the folder has no Pulumi.yaml of a Python program.
        """
        return str(self._project_file()["name"])

    @property
    def directory(self) -> Path:
        """The folder from which the engine runs."""
        return self.folder / "programs" / self.project

    @property
    def main(self) -> Path:
        """The program's file."""
        main = self.program / str(self._project_file().get("main", "."))
        return main if main.suffix == ".py" else main / "__main__.py"

    @property
    def state_file(self) -> Path:
        """Where the backend keeps the stack's state, a checkpoint."""
        return self.folder / "backend" / ".pulumi" / "stacks" / self.project / f"{self.stack}.json"

    @property
    def locks(self) -> Path:
        """Where the backend keeps the stack's locks: a file for each process that uses it."""
        return self.folder / "backend" / ".pulumi" / "locks" / "organization" / self.project / self.stack

    def checkpoint(self) -> dict[str, Any]:
        """Return the stack's deployment as the engine last saved it; empty before the first update.

        It has ``resources`` and ``pending_operations``; secrets in it are encrypted.
        """
        try:
            document = json.loads(self.state_file.read_bytes())
        except FileNotFoundError:
            return {}
        return dict(document["checkpoint"].get("latest") or {})

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources of the stack's state."""
        return list(self.checkpoint().get("resources") or [])

    def environment(self, engine: Engine) -> dict[str, str]:
        """Return this process's environment with the engine's variables."""
        # It would win over the passphrase's file.
        inherited = {key: value for key, value in os.environ.items() if key != PASSPHRASE}
        return inherited | self.variables(engine)

    def variables(self, engine: Engine) -> dict[str, str]:
        """Return the variables with which the engine finds backend, passphrase, home and cluster."""
        home = {"PULUMI_HOME": str(engine.home)} if engine.home else {}
        return {
            **home,
            "KUBECONFIG": str(self.kubeconfig),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'backend'}",
            f"{PASSPHRASE}_FILE": str(self.folder / "passphrase"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # The declaration wins over what somebody has changed by hand.
            "PULUMI_K8S_ENABLE_PATCH_FORCE": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": str(engine.home is not None).lower(),
        }

    def prepare(
        self, settings: Mapping[str, Any], overrides: Sequence[str], shared: Mapping[str, Path] | None = None
    ) -> None:
        """Copy the project's and the stack's settings, and link everything of the program but settings.

        :param settings: set over those of the stack's file, by key.
        :param overrides: ``key=value``, set over both. A value is JSON where the project's schema declares a type
            other than string.
        :param shared: what to link besides, by name, where the program has nothing of that name.
        :raises LabError: if an override has no key and value.
        """
        project = self._project_file()
        (self.folder / "backend").mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (self.folder / "passphrase").exists():
            files.replace(self.folder / "passphrase", secrets.token_urlsafe(32).encode())
        for link in self.directory.iterdir():
            if link.is_symlink():
                link.unlink()
        entries = {
            entry.name: entry
            for entry in self.program.iterdir()
            if entry.name != "Pulumi.yaml" and not entry.match("Pulumi.*.yaml")
        }
        for name, entry in {**(shared or {}), **entries}.items():
            (self.directory / name).symlink_to(entry)
        source, target = (folder / f"Pulumi.{self.stack}.yaml" for folder in (self.program, self.directory))
        document = _load(source) if source.exists() else {}
        config = {_full(project, key): value for key, value in (document.get("config") or {}).items()}
        config |= {_full(project, key): value for key, value in settings.items()}
        config |= parse(project, overrides)
        document["config"] = config
        # The engine writes it when it makes the stack, and needs it to read its own secrets.
        if target.exists() and (salt := _load(target).get("encryptionsalt")):
            document["encryptionsalt"] = salt
        files.replace(target, yaml.safe_dump(document, sort_keys=False).encode())
        files.replace(self.directory / "Pulumi.yaml", yaml.safe_dump(project, sort_keys=False).encode())

    def _project_file(self) -> dict[str, Any]:
        path = self.program / "Pulumi.yaml"
        if not path.is_file():
            message = f"{self.program}: no Pulumi.yaml; name the folder of a Pulumi program"
            raise LabError(message)
        document = _load(path)
        runtime = document.get("runtime")
        language = runtime.get("name") if isinstance(runtime, dict) else runtime
        if not isinstance(document.get("name"), str) or language != "python":
            message = f"{path}: name is {document.get('name')!r} and runtime {language!r}; the lab runs Python programs"
            raise LabError(message)
        return document


def parse(project: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return the configuration of ``key=value`` overrides; pure.

    :param project: the content of ``Pulumi.yaml``, whose ``config`` declares types.
    :raises LabError: naming every override without a key and value.
    """
    faults = [
        f"--config {text}: must be key=value" for text in overrides if not text.partition("=")[0] or "=" not in text
    ]
    if faults:
        raise LabError("\n".join(faults))
    declared = {_full(project, key): value for key, value in (project.get("config") or {}).items()}
    parsed = {}
    for text in overrides:
        key, _, value = text.partition("=")
        full = _full(project, key)
        declaration = declared.get(full)
        kind = declaration.get("type", "string") if isinstance(declaration, dict) else "string"
        parsed[full] = _value(value) if kind in _STRUCTURED else value
    return parsed


def _full(project: Mapping[str, Any], key: str) -> str:
    return key if ":" in key else f"{project['name']}:{key}"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _load(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        message = f"{path}: not valid YAML ({' '.join(str(error).split())})"
        raise LabError(message) from error
    if not isinstance(document, dict):
        message = f"{path}: contains {type(document).__name__}; must contain a map"
        raise LabError(message)
    return document

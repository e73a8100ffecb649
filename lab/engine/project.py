"""What a project's files say: ``Pulumi.yaml``, ``Pulumi.<stack>.yaml`` and ``--config``."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.engine.encryption import Crypter, passphrase_from
from lab.engine.errors import EngineError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STACK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


@dataclass(frozen=True)
class Project:
    """A Pulumi project on disk: its name, folder and program, and its ``config:`` declarations by full key."""

    name: str
    directory: Path
    main: Path
    declarations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Configuration:
    """A stack's configuration as the program gets it: texts by full key, JSON where the value is structured."""

    values: Mapping[str, str]
    secret_keys: frozenset[str] = frozenset()

    def provider(self, package: str) -> dict[str, Any]:
        """Return the settings of a package's default provider (``kubernetes:context`` is ``context``)."""
        prefix = f"{package}:"
        return {key.removeprefix(prefix): value for key, value in self.values.items() if key.startswith(prefix)}


def _load_yaml(path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 it is a safe loader
    except OSError as error:
        message = f"{path}: {os.strerror(error.errno or 0)}"
        raise EngineError(message) from error
    except yaml.YAMLError as error:
        message = f"{path}: not valid YAML ({' '.join(str(error).split())})"
        raise EngineError(message) from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        message = f"{path}: holds {type(document).__name__}, must hold a map"
        raise EngineError(message)
    return document


def load_project(directory: Path) -> Project:
    """Read ``Pulumi.yaml``.

    :raises EngineError: if there is none, or it is no Python project.
    """
    path = directory / "Pulumi.yaml"
    if not path.is_file():
        message = f"no Pulumi.yaml in {directory}; run this in the project's folder or name it with --cwd"
        raise EngineError(message)
    document = _load_yaml(path)
    name = document.get("name")
    runtime = document.get("runtime")
    runtime_name = runtime.get("name") if isinstance(runtime, dict) else runtime
    if not isinstance(name, str) or not name:
        message = f"{path}: name is {name!r}, must be the project's name"
        raise EngineError(message)
    if runtime_name != "python":
        message = f"{path}: runtime is {runtime_name!r}; this engine runs python programs only"
        raise EngineError(message)
    declarations = {}
    for key, declared in (document.get("config") or {}).items():
        full = key if ":" in key else f"{name}:{key}"
        declarations[full] = declared if isinstance(declared, dict) else {"default": declared}
    main = directory / document.get("main", ".")
    return Project(name, directory, main if main.suffix == ".py" else main / "__main__.py", declarations)


def settings_file(directory: Path, stack: str) -> Path:
    """Return the file of a stack's settings, which need not exist."""
    return directory / f"Pulumi.{stack}.yaml"


def load_configuration(
    project: Project, stack: str, overrides: Sequence[str], environment: Mapping[str, str]
) -> Configuration:
    """Read a stack's configuration, put ``key=value`` overrides over it and the declared defaults under it.

    :raises EngineError: with all faults at once, a line each.
    """
    if not _STACK_NAME.fullmatch(stack):
        message = f"stack name {stack!r}: must be letters, digits, '_', '.' and '-' (at most 100)"
        raise EngineError(message)
    path = settings_file(project.directory, stack)
    document = _load_yaml(path) if path.exists() else {}
    raw: dict[str, Any] = {}
    for key, value in (document.get("config") or {}).items():
        raw[key if ":" in key else f"{project.name}:{key}"] = value
    secret_keys = set()
    sealed = [key for key, value in raw.items() if isinstance(value, dict) and set(value) == {"secure"}]
    if sealed:
        crypter = Crypter.open(passphrase_from(environment), document.get("encryptionsalt", ""), str(path))
        for key in sealed:
            raw[key] = _unseal(crypter, raw[key]["secure"], key, path)
            secret_keys.add(key)
    faults = []
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator or not key:
            faults.append(f"--config {override}: must be key=value")
            continue
        full = key if ":" in key else f"{project.name}:{key}"
        raw[full] = _parse(text, project.declarations.get(full, {}).get("type", "string"))
    for key, declared in project.declarations.items():
        default = declared.get("default", declared.get("value"))
        if key not in raw and default is not None:
            raw[key] = default
        elif key not in raw and "type" in declared:
            faults.append(f"{key}: not set and has no default; set it in {path.name} or with --config {key}=...")
        fault = _type_fault(key, raw.get(key), declared)
        if fault:
            faults.append(fault)
    if faults:
        raise EngineError("\n".join(faults))
    return Configuration({key: _text(value) for key, value in raw.items()}, frozenset(secret_keys))


def _unseal(crypter: Crypter, sealed: str, key: str, path: Path) -> str:
    try:
        return crypter.unseal(sealed)
    except ValueError as error:
        message = f"{path}: {key} was not sealed with this stack's passphrase; set it again"
        raise EngineError(message) from error


def _parse(text: str, declared_type: str) -> Any:
    if declared_type == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _type_fault(key: str, value: Any, declared: Mapping[str, Any]) -> str | None:
    wanted = declared.get("type")
    if value is None or wanted is None:
        return None
    parsed = _parse(value, wanted) if isinstance(value, str) else value
    allowed = _TYPES.get(wanted)
    if allowed is None:
        return f"{key}: declared as {wanted!r}, must be one of {', '.join(_TYPES)}"
    right = isinstance(parsed, allowed) and (wanted == "boolean" or not isinstance(parsed, bool))
    return None if right else f"{key}: {value!r} is no {wanted}"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)

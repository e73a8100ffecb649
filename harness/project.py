"""A project's files: ``Pulumi.yaml`` and ``Pulumi.<stack>.yaml``."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from harness.errors import HarnessError
from harness.values import Secret

ENCRYPTED: Final = "[encrypted]"
"""Replaces each encrypted value of a stack's file: the harness has no key."""

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

    values: Mapping[str, str] = field(default_factory=dict)
    secret_keys: frozenset[str] = frozenset()


def _load_yaml(path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 it is a safe loader
    except OSError as error:
        raise HarnessError(f"{path}: {os.strerror(error.errno or 0)}") from error
    except yaml.YAMLError as error:
        raise HarnessError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise HarnessError(f"{path}: holds {type(document).__name__}, must hold a map")
    return document


def load_project(directory: Path) -> Project:
    """Read ``Pulumi.yaml``.

    :raises HarnessError: if it does not exist, or the project is not in Python.
    """
    path = directory / "Pulumi.yaml"
    if not path.is_file():
        raise HarnessError(f"no Pulumi.yaml in {directory}; run this in the project's folder or name it with --cwd")
    document = _load_yaml(path)
    name, runtime = document.get("name"), document.get("runtime")
    runtime_name = runtime.get("name") if isinstance(runtime, dict) else runtime
    if not isinstance(name, str) or not name:
        raise HarnessError(f"{path}: name is {name!r}, must be the project's name")
    if runtime_name != "python":
        raise HarnessError(f"{path}: runtime is {runtime_name!r}; the harness runs python programs only")
    declarations = {}
    for key, declared in (document.get("config") or {}).items():
        declarations[_full(key, name)] = declared if isinstance(declared, dict) else {"default": declared}
    main = directory / document.get("main", ".")
    return Project(name, directory, main if main.suffix == ".py" else main / "__main__.py", declarations)


def _full(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def settings_file(directory: Path, stack: str) -> Path:
    """Return the file of a stack's settings, which need not exist."""
    return directory / f"Pulumi.{stack}.yaml"


def load_configuration(project: Project, stack: str, overrides: Mapping[str, Any]) -> Configuration:
    """Read a stack's configuration, put overrides over it and the declared defaults under it.

    :param overrides: by key, with or without the project's name; a text is parsed if its key is declared with another
        type, and a ``Secret`` makes the key secret.
    :raises HarnessError: with all faults at once, a line each.
    """
    if not _STACK_NAME.fullmatch(stack):
        raise HarnessError(f"stack name {stack!r}: must be letters, digits, '_', '.' and '-' (at most 100)")
    path = settings_file(project.directory, stack)
    document = _load_yaml(path) if path.exists() else {}
    raw: dict[str, Any] = {}
    secret_keys = set()
    for key, value in (document.get("config") or {}).items():
        raw[_full(key, project.name)] = opened = _without_ciphertext(value)
        if opened != value:
            secret_keys.add(_full(key, project.name))
    for key, given in overrides.items():
        full = _full(key, project.name)
        value = given.value if isinstance(given, Secret) else given
        declared_type = project.declarations.get(full, {}).get("type", "string")
        raw[full] = _parse(value, declared_type) if isinstance(value, str) else value
        (secret_keys.add if isinstance(given, Secret) else secret_keys.discard)(full)
    faults = []
    for key, declared in project.declarations.items():
        default = declared.get("default", declared.get("value"))
        if key not in raw and default is not None:
            raw[key] = default
        elif key not in raw and "type" in declared:
            faults.append(f"{key}: not set and has no default; set it in {path.name} or with --config {key}=...")
        if declared.get("secret") and key in raw:
            secret_keys.add(key)
        fault = _type_fault(key, raw.get(key), declared)
        if fault:
            faults.append(fault)
    if faults:
        raise HarnessError("\n".join(faults))
    return Configuration({key: _text(value) for key, value in raw.items()}, frozenset(secret_keys))


def _without_ciphertext(value: Any) -> Any:
    """Return a value of a stack's file with ``ENCRYPTED`` in place of each encrypted value."""
    if isinstance(value, dict):
        if set(value) == {"secure"}:
            return ENCRYPTED
        return {key: _without_ciphertext(item) for key, item in value.items()}
    return [_without_ciphertext(item) for item in value] if isinstance(value, list) else value


def _parse(text: str, declared_type: str) -> Any:
    if declared_type == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _type_fault(key: str, value: Any, declared: Mapping[str, Any]) -> str | None:
    wanted = declared.get("type")
    if value is None or wanted is None or value == ENCRYPTED:
        return None
    parsed = _parse(value, wanted) if isinstance(value, str) else value
    allowed = _TYPES.get(wanted)
    if allowed is None:
        return f"{key}: declared as {wanted!r}, must be one of {', '.join(_TYPES)}"
    right = isinstance(parsed, allowed) and (wanted == "boolean" or not isinstance(parsed, bool))
    return None if right else f"{key}: {value!r} is no {wanted}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

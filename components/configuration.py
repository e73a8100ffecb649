"""Reads the stack's configuration, the one place that knows how Pulumi hands it over."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import config

from model.settings import NAMESPACE, Settings, SettingsError, load

# A link to Pulumi.yaml, so that it is in the package too.
_PROJECT = Path(__file__).with_name("settings.yaml")


def read_settings(given: Mapping[str, Any] | None = None) -> Settings:
    """Return the stack's validated settings.

    ``given`` is for programs of other projects, whose Pulumi.yaml does not declare the keys: what they set for
    themselves, by key, in place of our defaults; what their stack sets under our namespace goes before both.
    Raises pulumi.RunError, which the CLI prints without a traceback, naming every fault.
    """
    prefix = f"{NAMESPACE}:"
    keys = {key for key in (*config.CONFIG.get(), *config.get_config_env()) if key.startswith(prefix)}
    source = pulumi.Config(NAMESPACE)
    names = sorted(key.removeprefix(prefix) for key in keys)
    under = {} if given is None else _defaults() | {name: _text(value) for name, value in given.items()}
    try:
        return load(under | {name: value for name in names if (value := source.get(name)) is not None})
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from error


def _defaults() -> dict[str, str]:
    """Return what the CLI gives our own program for keys that its stack does not set."""
    declared = yaml.safe_load(_PROJECT.read_text(encoding="utf-8"))["config"]
    return {key: _text(value["default"]) for key, value in declared.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

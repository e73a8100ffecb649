"""Reads the stack's configuration."""

import json
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.runtime import config

from kafka_on_istio.settings.errors import SettingsError
from kafka_on_istio.settings.loading import load
from kafka_on_istio.settings.settings import NAMESPACE, Settings


def read_settings(defaults: Mapping[str, Any] | None = None) -> Settings:
    """Return the stack's validated settings.

    ``defaults`` are a program's own, by key; the keys that its stack sets in the namespace ``kafka-on-istio`` override
    them. Raises pulumi.RunError, which the CLI prints without a traceback, with every fault.
    """
    prefix = f"{NAMESPACE}:"
    keys = {key for key in (*config.CONFIG.get(), *config.get_config_env()) if key.startswith(prefix)}
    source = pulumi.Config(NAMESPACE)
    names = sorted(key.removeprefix(prefix) for key in keys)
    own = {name: value if isinstance(value, str) else json.dumps(value) for name, value in (defaults or {}).items()}
    try:
        return load(own | {name: value for name in names if (value := source.get(name)) is not None})
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from error

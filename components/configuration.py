"""Reads the stack's configuration, the one place that knows how Pulumi hands it over."""

import pulumi
from pulumi.runtime import config

from model.settings import NAMESPACE, Settings, SettingsError, load


def read_settings() -> Settings:
    """Return the stack's validated settings.

    Raises pulumi.RunError, which the CLI prints without a traceback, naming every fault.
    """
    prefix = f"{NAMESPACE}:"
    keys = {key for key in (*config.CONFIG.get(), *config.get_config_env()) if key.startswith(prefix)}
    source = pulumi.Config(NAMESPACE)
    names = sorted(key.removeprefix(prefix) for key in keys)
    try:
        return load({name: value for name in names if (value := source.get(name)) is not None})
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from error

"""The reference of the settings, out of ``Pulumi.yaml``. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

_SHORT = 60


def reference(project: Mapping[str, Any], stacks: Mapping[str, Mapping[str, Any]]) -> str:
    """Return Markdown with a section per setting: what it is, its type, its default, and which stacks set it.

    :param project: what ``Pulumi.yaml`` says.
    :param stacks: the ``config`` of each stack's file, by the stack's name.
    """
    sections = (_section(project["name"], key, setting, stacks) for key, setting in project["config"].items())
    return "\n\n".join(line for section in sections for line in section)


def _section(
    project: str, key: str, setting: Mapping[str, Any], stacks: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    yield f"### {key}"
    yield setting["description"].strip()
    kind, default = _kind(setting), setting["default"]
    setting_stacks = sorted(stack for stack, config in stacks.items() if f"{project}:{key}" in config)
    users = f" Set in {_listed(setting_stacks)}." if setting_stacks else ""
    if _is_short(default):
        yield f"Type {kind}, default {_inline(default)}.{users}"
    else:
        yield f"Type {kind}.{users} Default:"
        yield f"```yaml\n{yaml.safe_dump(default, sort_keys=False, width=100).strip()}\n```"


def _kind(setting: Mapping[str, Any]) -> str:
    return f"{setting['type']} of {setting['items']['type']}" if "items" in setting else str(setting["type"])


def _listed(stacks: Iterable[str]) -> str:
    return ", ".join(f"[{stack}](../Pulumi.{stack}.yaml)" for stack in stacks)


def _is_short(default: Any) -> bool:
    return not isinstance(default, dict | list) or len(_inline(default)) <= _SHORT


def _inline(default: Any) -> str:
    if default == "":
        return "empty"
    text = yaml.safe_dump(default, default_flow_style=True, sort_keys=False, width=1000)
    return f"`{text.splitlines()[0]}`"

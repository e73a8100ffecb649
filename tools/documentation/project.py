"""The section ``config`` of Pulumi.yaml. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

_MARK: Final = "# Generated from kafka_on_istio/settings by `make docs`.\nconfig:\n"
_WIDTH: Final = 120


class _Folded(str):
    """Text that is written over several lines."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes lists inside of mappings with indentation, as people do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


_Dumper.add_representer(_Folded, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style=">"))


def filled(text: str, settings: Mapping[str, Mapping[str, Any]]) -> str:
    """Return Pulumi.yaml with the section ``config``, which is its last.

    :param settings: ``{type, items?, description, default}`` by key.
    """
    head, _, _ = text.partition(_MARK)
    return f"{head}{_MARK}{''.join(_setting(key, setting) for key, setting in settings.items())}"


def _setting(key: str, setting: Mapping[str, Any]) -> str:
    description = setting["description"]
    is_long = len(description) > _WIDTH - len("    description: ''")
    declared = {**setting, "description": _Folded(description) if is_long else description}
    lines = [line for field in declared.items() for line in _field(*field)]
    return "".join([f"  {key}:\n", *(f"    {line}\n" for line in lines)])


def _field(name: str, value: Any) -> list[str]:
    # Leaves are written on one line, but the field itself is not.
    style = None if isinstance(value, dict | list) else False
    text = yaml.dump({name: value}, Dumper=_Dumper, sort_keys=False, width=_WIDTH - 8, default_flow_style=style)
    return text.splitlines()

"""The reference of the components, out of the plugin's schema. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def reference(schema: Mapping[str, Any]) -> str:
    """Return Markdown with a section per component, then per type: inputs and outputs with their types.

    :param schema: a Pulumi package schema.
    """
    sections = [
        _section(
            token,
            item["description"],
            {
                "Input": (item["inputProperties"], item.get("requiredInputs", ())),
                "Output": (item["properties"], item["properties"]),
            },
        )
        for token, item in sorted(schema["resources"].items())
    ]
    sections += [
        _section(token, item["description"], {"Field": (item["properties"], item.get("required", ()))})
        for token, item in sorted(schema["types"].items())
    ]
    return "\n\n".join(line for section in sections for line in section)


def _section(token: str, description: str, tables: Mapping[str, tuple[Mapping[str, Any], Any]]) -> Iterator[str]:
    yield f"### {token.rpartition(':')[2]}"
    yield description.replace("``", "`")
    for head, (fields, required) in tables.items():
        if fields:
            yield "\n".join([f"| {head} | Type | What it is |", "|---|---|---|", *_rows(fields, required)])


def _rows(fields: Mapping[str, Any], required: Any) -> Iterator[str]:
    for name, field in sorted(fields.items(), key=lambda item: item[0] not in required):
        shown = f"`{name}`" if name in required else f"`{name}?`"
        yield f"| {shown} | {_kind(field)} | {field['description'].replace('``', '`')} |"


def _kind(field: Mapping[str, Any]) -> str:
    """Return a field's type, such as ``[string]``, ``{string}``, ``any`` or a link to a type of the package."""
    reference = field.get("$ref", "")
    if reference:
        name = reference.rpartition(":")[2]
        return f"[{name}](#{name.lower()})" if reference.startswith("#/types/") else "any"
    if "items" in field:
        return f"[{_kind(field['items'])}]"
    if "additionalProperties" in field:
        return f"{{{_kind(field['additionalProperties'])}}}"
    return str(field["type"])

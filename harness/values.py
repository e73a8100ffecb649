"""Property values, and their form on the wire and in JSON.

A property value is ``None``, ``bool``, ``float``, ``int``, ``str``, ``list``, ``dict[str, value]`` or one of the
classes below. On the wire (``google.protobuf.Struct``) and in JSON the special ones are maps that carry Pulumi's
signature keys (source: ``pulumi.runtime.rpc`` of the pip package ``pulumi``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from google.protobuf import struct_pb2
from pulumi.runtime import rpc

_SIGNATURE: Final = rpc._special_sig_key
_SECRET: Final = rpc._special_secret_sig
_OUTPUT: Final = rpc._special_output_value_sig
_RESOURCE: Final = rpc._special_resource_sig
_ASSETS: Final = (rpc._special_asset_sig, rpc._special_archive_sig)
UNKNOWN_TOKEN: Final = rpc.UNKNOWN
_SHOWN_SECRET: Final = "[secret]"  # noqa: S105 what is shown in place of one

Properties = dict[str, Any]


class Unknown(Enum):
    """The type of ``UNKNOWN``, a value that only an update brings."""

    UNKNOWN = "output<unknown>"

    def __repr__(self) -> str:
        """Show it as the Pulumi CLI does."""
        return self.value


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True)
class Secret:
    """A value that is never shown in the clear."""

    value: Any

    def __repr__(self) -> str:
        """Never show the value."""
        return _SHOWN_SECRET


@dataclass(frozen=True)
class ResourceReference:
    """A resource passed as a value."""

    urn: str
    id: Any = None
    package_version: str = ""


@dataclass(frozen=True)
class Asset:
    """A file, text or archive passed as a value, with the fields that the SDK sent."""

    raw: tuple[tuple[str, Any], ...]

    @property
    def fields(self) -> dict[str, Any]:
        """The fields: ``path``, ``text`` or ``uri``, and the signature."""
        return dict(self.raw)


def decode(struct: struct_pb2.Struct, dependencies: dict[str, set[str]] | None = None) -> Properties:
    """Turn a Struct off the wire into properties.

    :param dependencies: if given, gets the URNs that output values name, by their top-level property.
    :raises ValueError: if a value has an unknown signature.
    """
    result: Properties = {}
    for key, value in struct.fields.items():
        found: set[str] = set()
        result[key] = _decode_value(value, found)
        if dependencies is not None and found:
            dependencies.setdefault(key, set()).update(found)
    return result


def _decode_value(value: struct_pb2.Value, found: set[str]) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = value.struct_value.fields
        if _SIGNATURE in fields:
            return _decode_special(fields, found)
        return {key: _decode_value(item, found) for key, item in fields.items()}
    if kind == "list_value":
        return [_decode_value(item, found) for item in value.list_value.values]
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text == UNKNOWN_TOKEN else text
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    return None


def _decode_special(fields: Mapping[str, struct_pb2.Value], found: set[str]) -> Any:
    signature = fields[_SIGNATURE].string_value
    if signature == _SECRET:
        return secret(_decode_value(fields["value"], found))
    if signature == _OUTPUT:
        if "dependencies" in fields:
            found.update(item.string_value for item in fields["dependencies"].list_value.values)
        inner = _decode_value(fields["value"], found) if "value" in fields else UNKNOWN
        return secret(inner) if "secret" in fields and fields["secret"].bool_value else inner
    if signature == _RESOURCE:
        identifier = _decode_value(fields["id"], found) if "id" in fields else None
        version = fields["packageVersion"].string_value if "packageVersion" in fields else ""
        return ResourceReference(fields["urn"].string_value, identifier, version)
    if signature in _ASSETS:
        return Asset(tuple((key, _decode_value(item, found)) for key, item in sorted(fields.items())))
    raise ValueError(f"property value with the unknown signature {signature}")


def encode(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Turn properties into a Struct for the wire; secrets stay marked."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _encode_into(struct.fields[key], value)
    return struct


def _encode_into(target: struct_pb2.Value, value: Any) -> None:
    if value is None:
        target.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif isinstance(value, Mapping):
        target.struct_value.SetInParent()
        for key, item in value.items():
            _encode_into(target.struct_value.fields[key], item)
    elif isinstance(value, list | tuple):
        target.list_value.SetInParent()
        for item in value:
            _encode_into(target.list_value.values.add(), item)
    else:
        _encode_into(target, to_plain(value, lambda inner: {"value": inner}))


def to_plain(value: Any, encrypt: Callable[[Any], Mapping[str, Any]]) -> Any:
    """Turn a value into plain JSON with Pulumi's signature maps.

    :param encrypt: returns the entries of a secret's map besides its signature, from the secret's plain value.
    """
    if isinstance(value, Unknown):
        return UNKNOWN_TOKEN
    if isinstance(value, Secret):
        return {_SIGNATURE: _SECRET, **encrypt(to_plain(value.value, encrypt))}
    if isinstance(value, ResourceReference):
        optional = {"id": to_plain(value.id, encrypt), "packageVersion": value.package_version}
        given = {key: item for key, item in optional.items() if item}
        return {_SIGNATURE: _RESOURCE, "urn": value.urn, **given}
    if isinstance(value, Asset):
        return {key: to_plain(item, encrypt) for key, item in value.raw}
    if isinstance(value, Mapping):
        return {key: to_plain(item, encrypt) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item, encrypt) for item in value]
    return value


def as_outputs(value: Any) -> Any:
    """Return a value with output values for what is secret or unknown in it: of these the SDK marks nothing else."""
    if value is UNKNOWN:
        return {_SIGNATURE: _OUTPUT}
    if isinstance(value, Secret):
        inner = as_outputs(value.value)
        return {_SIGNATURE: _OUTPUT, "secret": True, **({} if value.value is UNKNOWN else {"value": inner})}
    if isinstance(value, dict):
        return {key: as_outputs(item) for key, item in value.items()}
    return [as_outputs(item) for item in value] if isinstance(value, list) else value


def from_plain(value: Any) -> Any:
    """Undo ``to_plain``. The value of an encrypted secret is unknown, as is what the CLI shows as ``[secret]``.

    :raises ValueError: if a value has an unknown signature.
    """
    if isinstance(value, Mapping):
        signature = value.get(_SIGNATURE)
        if signature is None:
            return {key: from_plain(item) for key, item in value.items()}
        if signature == _SECRET:
            return secret(from_plain(value.get("value", UNKNOWN_TOKEN)))
        if signature == _RESOURCE:
            return ResourceReference(value["urn"], from_plain(value.get("id")), value.get("packageVersion", ""))
        if signature in _ASSETS:
            return Asset(tuple((key, from_plain(item)) for key, item in sorted(value.items())))
        raise ValueError(f"property value with the unknown signature {signature}")
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if value == _SHOWN_SECRET:
        return Secret(UNKNOWN)
    return UNKNOWN if value == UNKNOWN_TOKEN else value


def secret(value: Any) -> Secret:
    """Mark a value as secret; marking twice has no further effect."""
    return value if isinstance(value, Secret) else Secret(value)


def reveal(value: Any) -> Any:
    """Return the value without secret marks; unknowns stay."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, dict):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item) for item in value]
    return value


def walk(value: Any) -> Iterator[Any]:
    """Yield the value and every value inside it."""
    yield value
    if isinstance(value, Secret):
        yield from walk(value.value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


def has_unknown(value: Any) -> bool:
    """Tell whether the value is unknown or holds an unknown."""
    return any(item is UNKNOWN for item in walk(value))


def has_secret(value: Any) -> bool:
    """Tell whether the value is secret or holds a secret."""
    return any(isinstance(item, Secret) for item in walk(value))


def secret_texts(value: Any) -> set[str]:
    """Return the texts that are secret in the value, without the empty one."""
    return {
        text
        for item in walk(value)
        if isinstance(item, Secret)
        for text in walk(reveal(item))
        if isinstance(text, str) and text
    }


def alike(before: Any, after: Any) -> bool:
    """Tell whether two values are equal where both are known. An encrypted secret equals any other."""
    if isinstance(before, Secret) and isinstance(after, Secret):
        return UNKNOWN in (before.value, after.value) or alike(before.value, after.value)
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(alike(before[key], after[key]) for key in before)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(alike, before, after))
    return type(before) is type(after) and bool(before == after)

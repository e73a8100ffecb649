"""Property values as the engine holds them, and their form on the wire.

A property value is ``None``, ``bool``, ``float``, ``int``, ``str``, ``list``, ``dict[str, value]`` or one of the
classes below. On the wire (``google.protobuf.Struct``) and in a state file the special ones are maps that carry
Pulumi's signature keys (source: ``pulumi.runtime.rpc`` of the pip package ``pulumi``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from google.protobuf import struct_pb2
from pulumi.runtime import rpc

SIGNATURE: Final = rpc._special_sig_key
SECRET_SIGNATURE: Final = rpc._special_secret_sig
OUTPUT_SIGNATURE: Final = rpc._special_output_value_sig
RESOURCE_SIGNATURE: Final = rpc._special_resource_sig
ASSET_SIGNATURE: Final = rpc._special_asset_sig
ARCHIVE_SIGNATURE: Final = rpc._special_archive_sig
UNKNOWN_TOKEN: Final = rpc.UNKNOWN

Properties = dict[str, Any]


class Unknown:
    """A value that only the update itself will bring; there is one instance, ``UNKNOWN``."""

    _instance: ClassVar[Any] = None

    def __new__(cls) -> Self:
        """Return the one instance."""
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        instance: Self = cls._instance
        return instance

    def __repr__(self) -> str:
        """Show it as the real CLI does."""
        return "output<unknown>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Unknown:
        """Stay the one instance."""
        return self


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Secret:
    """A value that no log, preview or state file shows in the clear."""

    value: Any

    def __repr__(self) -> str:
        """Never show the value."""
        return "[secret]"


@dataclass(frozen=True)
class ResourceReference:
    """A resource passed as a value."""

    urn: str
    id: Any = None
    package_version: str = ""


@dataclass(frozen=True)
class Asset:
    """A file, string or archive passed as a value, as the SDK sent it (signature included)."""

    raw: tuple[tuple[str, Any], ...]

    @property
    def fields(self) -> dict[str, Any]:
        """The asset's fields: ``path``, ``text`` or ``uri``, and the signature."""
        return dict(self.raw)


def decode(struct: struct_pb2.Struct, dependencies: dict[str, set[str]] | None = None) -> Properties:
    """Turn a Struct off the wire into properties.

    :param dependencies: if given, the URNs that output values name are added under their top-level property.
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
        if SIGNATURE in fields:
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
    signature = fields[SIGNATURE].string_value
    if signature == SECRET_SIGNATURE:
        return secret(_decode_value(fields["value"], found))
    if signature == OUTPUT_SIGNATURE:
        found.update(item.string_value for item in fields["dependencies"].list_value.values) if (
            "dependencies" in fields
        ) else None
        inner = _decode_value(fields["value"], found) if "value" in fields else UNKNOWN
        return secret(inner) if "secret" in fields and fields["secret"].bool_value else inner
    if signature == RESOURCE_SIGNATURE:
        urn = fields["urn"].string_value
        found.add(urn)
        identifier = _decode_value(fields["id"], found) if "id" in fields else None
        version = fields["packageVersion"].string_value if "packageVersion" in fields else ""
        return ResourceReference(urn, identifier, version)
    if signature in (ASSET_SIGNATURE, ARCHIVE_SIGNATURE):
        return Asset(tuple((key, _decode_value(item, found)) for key, item in sorted(fields.items())))
    message = f"property value with the unknown signature {signature}"
    raise ValueError(message)


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
        fields = target.struct_value.fields
        target.struct_value.SetInParent()
        for key, item in value.items():
            _encode_into(fields[key], item)
    elif isinstance(value, list | tuple):
        target.list_value.SetInParent()
        for item in value:
            _encode_into(target.list_value.values.add(), item)
    else:
        _encode_into(target, to_plain(value))


def to_plain(value: Any, seal: Callable[[Any], Mapping[str, Any]] | None = None) -> Any:
    """Turn a value into plain JSON with Pulumi's signature maps.

    :param seal: makes the map that stands for a secret's plain inner value; by default the value in the clear
        under the secret signature, as on the wire.
    """
    if isinstance(value, Unknown):
        return UNKNOWN_TOKEN
    if isinstance(value, Secret):
        inner = to_plain(value.value, seal)
        if seal is None:
            return {SIGNATURE: SECRET_SIGNATURE, "value": inner}
        return {SIGNATURE: SECRET_SIGNATURE, **seal(inner)}
    if isinstance(value, ResourceReference):
        plain = {SIGNATURE: RESOURCE_SIGNATURE, "urn": value.urn}
        if value.id is not None:
            plain["id"] = to_plain(value.id, seal)
        if value.package_version:
            plain["packageVersion"] = value.package_version
        return plain
    if isinstance(value, Asset):
        return {key: to_plain(item, seal) for key, item in value.raw}
    if isinstance(value, Mapping):
        return {key: to_plain(item, seal) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item, seal) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        message = f"number {value} cannot be stored"
        raise ValueError(message)
    return value


def from_plain(value: Any, unseal: Callable[[Mapping[str, Any]], Any]) -> Any:
    """Undo ``to_plain``.

    :param unseal: gives the plain inner value of a secret's map.
    """
    if isinstance(value, Mapping):
        signature = value.get(SIGNATURE)
        if signature is None:
            return {key: from_plain(item, unseal) for key, item in value.items()}
        if signature == SECRET_SIGNATURE:
            return secret(from_plain(unseal(value), unseal))
        if signature == RESOURCE_SIGNATURE:
            identifier = from_plain(value.get("id"), unseal)
            return ResourceReference(value["urn"], identifier, value.get("packageVersion", ""))
        if signature in (ASSET_SIGNATURE, ARCHIVE_SIGNATURE):
            return Asset(tuple((key, from_plain(item, unseal)) for key, item in sorted(value.items())))
        message = f"property value with the unknown signature {signature}"
        raise ValueError(message)
    if isinstance(value, list):
        return [from_plain(item, unseal) for item in value]
    return UNKNOWN if value == UNKNOWN_TOKEN else value


def secret(value: Any) -> Secret:
    """Mark a value as secret, once however often it is marked."""
    return value if isinstance(value, Secret) else Secret(value)


def reveal(value: Any) -> Any:
    """Return the value with every secret mark taken off; unknowns stay."""
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


def mark_like(value: Any, model: Any) -> Any:
    """Mark secret in ``value`` what is secret at the same place in ``model``."""
    if isinstance(model, Secret):
        return secret(value)
    if isinstance(model, dict) and isinstance(value, dict):
        return {key: mark_like(item, model[key]) if key in model else item for key, item in value.items()}
    if isinstance(model, list) and isinstance(value, list):
        marked = [mark_like(item, like) for item, like in zip(value, model, strict=False)]
        return marked + value[len(marked) :]
    return value

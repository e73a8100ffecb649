"""From Pulumi's configuration to Settings: one validated object, or one error that lists every fault."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from kafka_on_istio.settings.checks import faults
from kafka_on_istio.settings.errors import SettingsError
from kafka_on_istio.settings.settings import NAMESPACE, Settings

_LONGEST_VALUE: Final = 80
"""Characters of a value that an error quotes."""


def load(values: Mapping[str, str]) -> Settings:
    """Validate a stack's configuration, and apply ``instance`` to namespaces and paths.

    ``values`` maps keys without their namespace to what Pulumi passes to a program: text, JSON for arrays and objects.
    Keys that are missing have their defaults. Raises SettingsError with every fault.
    """
    fields = {str(field.alias): name for name, field in Settings.model_fields.items()}
    found = [
        f"{key} = {_quoted(value)}: unknown key; allowed are {', '.join(sorted(fields))}"
        for key, value in sorted(values.items())
        if key not in fields
    ]
    parsed: dict[str, Any] = {}
    settings, invalid = Settings(), set()
    for key, name in fields.items():
        if key not in values:
            continue
        try:
            parsed[key] = _decoded(name, values[key])
            Settings.__pydantic_validator__.validate_assignment(settings, name, parsed[key])
        except json.JSONDecodeError as error:
            invalid.add(name)
            found.append(f"{key} = {_quoted(values[key])}: must be JSON ({error})")
        except ValidationError as error:
            invalid.add(name)
            found += [_fault(key, item["loc"][1:], item) for item in error.errors()]
    found += faults(settings, invalid)
    if found:
        raise SettingsError(f"{NAMESPACE}:{fault}" for fault in found)
    return _placed(Settings.model_validate(parsed))


def _placed(settings: Settings) -> Settings:
    """Apply the instance, and give an operator without a namespace of its own that of its cluster."""
    if settings.instance:
        settings = settings.model_copy(
            update={
                "kafka_namespace": f"{settings.kafka_namespace}-{settings.instance}",
                "application_namespace": f"{settings.application_namespace}-{settings.instance}",
                "routes": [
                    route.model_copy(update={"path": f"/{settings.instance}{route.path}"}) for route in settings.routes
                ],
            }
        )
    return settings.model_copy(update={"strimzi_namespace": settings.strimzi_namespace or settings.kafka_namespace})


def _decoded(name: str, value: str) -> Any:
    kind = Settings.model_fields[name].annotation
    is_plain = isinstance(kind, type) and issubclass(kind, str | int)
    return value if is_plain else json.loads(value)


def _quoted(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return repr(text) if len(text) <= _LONGEST_VALUE else repr(text[: _LONGEST_VALUE - 3] + "...")


def _fault(key: str, location: Iterable[str | int], error: Any) -> str:
    path = key + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    if error["type"] == "extra_forbidden":
        return f"{path} = {_quoted(error['input'])}: unknown key"
    if error["type"] == "missing":
        return f"{path} is missing"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{path} = {_quoted(error['input'])}: {message[0].lower()}{message[1:]}"

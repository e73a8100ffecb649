"""The section ``config`` of Pulumi.yaml, from the fields of the settings."""

from typing import Annotated, Any, Final, get_args, get_origin

from kafka_on_istio.settings.settings import SUBJECTS

_TYPES: Final = ((bool, "boolean"), (int, "integer"), (str, "string"))
"""Pulumi's types by Python's; bool is an int in Python, so it comes first."""


def project_config() -> dict[str, dict[str, Any]]:
    """Return ``{type, items?, description, default}`` of each setting, by key."""
    return {
        str(field.alias): {
            **_type(field.annotation),
            "description": field.description,
            "default": getattr(field.default, "value", field.default),
        }
        for subject in SUBJECTS
        for field in subject.model_fields.values()
    }


def _type(annotation: Any) -> dict[str, Any]:
    if get_origin(annotation) is list:
        return {"type": "array", "items": _type(get_args(annotation)[0])}
    plain = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    names = (name for kind, name in _TYPES if isinstance(plain, type) and issubclass(plain, kind))
    return {"type": next(names, "object")}

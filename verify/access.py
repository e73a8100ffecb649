"""Reads the access model that the stack exports: the only source of what is expected."""

from __future__ import annotations

from pydantic import ValidationError

from kafka_on_istio.access.model import AccessModel, from_json
from verify.errors import VerifyError


def read(text: bytes | str) -> AccessModel:
    """Read the stack's output ``accessModel``.

    :raises VerifyError: naming the keys that are missing or wrong.
    """
    try:
        model = from_json(text)
    except ValidationError as error:
        faults = ", ".join(
            f"{'.'.join(map(str, item['loc'])) or 'all of it'}: {item['msg']}" for item in error.errors()
        )
        raise VerifyError(f"access model: {faults}; pass the stack's output accessModel, as JSON") from error
    if model.mesh.data_plane != "sidecar":
        message = (
            f"dataPlane is {model.mesh.data_plane}: without sidecars nothing enforces the model; set it to sidecar"
        )
        raise VerifyError(message)
    return model

"""``python -m lab.pulumi.random_provider``: a Pulumi provider of ``random.RandomPassword`` only.

The lab uses it where the real ``random`` plugin is not installed and cannot be fetched.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

import bcrypt
from pulumi.provider.experimental import provider
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import PropertyDiff, PropertyDiffKind
from pulumi.provider.experimental.server import main
from pulumi.runtime import rpc

from lab.pulumi import passwords

PASSWORD: Final = "random:index/randomPassword:RandomPassword"  # noqa: S105
_DRAWN: Final = ("result", "bcryptHash")
_BCRYPT_BYTES: Final = 72
"""bcrypt hashes no more of a password, and the real provider does not either."""


class RandomProvider(provider.Provider):
    """Generates passwords. Every change of an input replaces the password, as in the real provider."""

    async def check(self, request: provider.CheckRequest) -> provider.CheckResponse:
        """Refuse inputs that the real provider would refuse, and resources that only it has."""
        # The URN holds the types of the parents, too.
        resource_type = request.type.rpartition("$")[2]
        if resource_type != PASSWORD:
            reason = f"{resource_type} needs the real random plugin; the lab's own has {PASSWORD} only"
            return provider.CheckResponse(failures=[provider.CheckFailure("", reason)])
        is_known = all(plain(value) is not None for value in request.new_inputs.values())
        faults = passwords.faults(_plain(request.new_inputs)) if is_known else {}
        failures = [provider.CheckFailure(key, reason) for key, reason in faults.items()]
        return provider.CheckResponse(request.new_inputs, failures)

    async def diff(self, request: provider.DiffRequest) -> provider.DiffResponse:
        """Replace the password if an input differs."""
        old = {key: value for key, value in _plain(request.old_state).items() if key not in _DRAWN}
        new = passwords.settings(_plain(request.new_inputs))
        changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        detailed = {key: PropertyDiff(PropertyDiffKind.UPDATE_REPLACE, input_diff=True) for key in changed}
        return provider.DiffResponse(bool(changed), replaces=changed, diffs=changed, detailed_diff=detailed)

    async def create(self, request: provider.CreateRequest) -> provider.CreateResponse:
        """Draw the password; in a preview it is unknown."""
        inputs = _plain(request.properties)
        if request.preview:
            # The library cannot marshal an unknown value inside a secret.
            drawn = {key: PropertyValue(rpc.UNKNOWN, is_secret=True) for key in _DRAWN}
        else:
            result = passwords.draw(inputs)
            hashed = bcrypt.hashpw(result.encode()[:_BCRYPT_BYTES], bcrypt.gensalt(10)).decode()
            drawn = {
                key: PropertyValue(value, is_secret=True) for key, value in zip(_DRAWN, (result, hashed), strict=True)
            }
        defaults = {key: _value(value) for key, value in passwords.settings(inputs).items()}
        return provider.CreateResponse("none", {**defaults, **request.properties, **drawn})

    async def delete(self, request: provider.DeleteRequest) -> None:
        """Do nothing: the password is in the state only."""


def plain(value: PropertyValue) -> Any:
    """Return a property as JSON, whole numbers as int; None if it is unknown."""
    content = value.value
    if isinstance(content, float) and content.is_integer():
        return int(content)
    if isinstance(content, Mapping):
        return {key: plain(item) for key, item in content.items()}
    return content if isinstance(content, (str, bool, float)) else None


def _plain(values: Mapping[str, PropertyValue]) -> dict[str, Any]:
    return {key: plain(value) for key, value in values.items()}


def _value(content: Any) -> PropertyValue:
    if isinstance(content, dict):
        return PropertyValue({key: _value(item) for key, item in content.items()})
    return PropertyValue(float(content) if isinstance(content, int) and not isinstance(content, bool) else content)


def _end_with(engine: int) -> None:
    """End this process when the engine has ended, even if it was killed."""
    while os.getppid() == engine:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    main(sys.argv[1:], version("pulumi_random"), RandomProvider())

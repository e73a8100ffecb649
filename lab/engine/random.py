"""The ``random`` package: passwords, from the system's cryptographic random number generator."""

from __future__ import annotations

import secrets
import string
from typing import Final

from lab.engine.plan import changed_paths
from lab.engine.provider import Construction, Context, Diff, Live, ProviderError
from lab.engine.values import UNKNOWN, Properties, has_unknown

PASSWORD: Final = "random:index/randomPassword:RandomPassword"  # noqa: S105
SPECIAL: Final = "!@#$%&*()-_=+[]{}<>:?"
"""The special characters of the real provider unless ``overrideSpecial`` is given."""

_DEFAULTS: Final[Properties] = {
    "lower": True,
    "upper": True,
    "numeric": True,
    "special": True,
    "minLower": 0,
    "minUpper": 0,
    "minNumeric": 0,
    "minSpecial": 0,
}
_MINIMUMS: Final = ("minLower", "minUpper", "minNumeric", "minSpecial")
_KNOWN: Final = frozenset({*_DEFAULTS, "length", "number", "overrideSpecial", "keepers"})


class RandomProvider:
    """Makes ``random.RandomPassword``; whatever input of it changes, it is replaced."""

    async def check(self, context: Context, old_inputs: Properties | None, inputs: Properties) -> Properties:
        """Return the inputs as they are.

        :raises ProviderError: naming every input that is refused.
        """
        _supported(context.type)
        faults = [] if has_unknown(inputs) else _faults(inputs)
        if faults:
            raise ProviderError(f"{PASSWORD} {context.name}: " + "; ".join(faults))
        return inputs

    async def rename(self, context: Context, old_inputs: Properties, inputs: Properties) -> Properties:
        """Return the inputs as they are: a password has no name."""
        return inputs

    async def diff(self, context: Context, old_inputs: Properties, old_outputs: Properties, inputs: Properties) -> Diff:
        """Every change replaces."""
        paths = tuple(changed_paths(old_inputs, inputs))
        return Diff(paths, paths)

    async def create(self, context: Context, inputs: Properties) -> tuple[str, Properties]:
        """Draw the password; in a preview it and its hash are unknown."""
        settings = _settings(inputs)
        if context.preview:
            return "none", {**settings, "result": UNKNOWN, "bcryptHash": UNKNOWN}
        import bcrypt  # noqa: PLC0415 a preview does without

        result = _draw(settings)
        # bcrypt reads 72 bytes at most; the real provider, too, hashes no more of a long password.
        hashed = bcrypt.hashpw(result.encode()[:72], bcrypt.gensalt(10)).decode()
        return "none", {**settings, "result": result, "bcryptHash": hashed}

    async def update(
        self, context: Context, identifier: str, old_outputs: Properties, inputs: Properties
    ) -> Properties:
        """Refuse: ``diff`` asks for replacement only."""
        raise ProviderError(f"{context.type} {context.name} cannot be changed in place")

    async def read(
        self, context: Context, identifier: str | None, inputs: Properties, outputs: Properties
    ) -> Live | None:
        """Return what is in the state: a password is nowhere else."""
        return None if identifier is None else Live(identifier, inputs, outputs)

    async def delete(self, context: Context, identifier: str, outputs: Properties) -> None:
        """Do nothing: a password is in the state only."""

    async def construct(self, context: Context, inputs: Properties) -> Construction:
        """Refuse: the package has no components."""
        raise ProviderError(f"{context.type} is not supported; this engine's random package has {PASSWORD}")

    def secret_outputs(self, type_token: str) -> frozenset[str]:
        """The password and its hash."""
        return frozenset({"result", "bcryptHash"})

    async def close(self) -> None:
        """Do nothing: there are no connections."""


def _supported(type_token: str) -> None:
    if type_token != PASSWORD:
        raise ProviderError(f"{type_token} is not supported; this engine's random package has {PASSWORD}")


def _settings(inputs: Properties) -> Properties:
    settings = {**_DEFAULTS, **{key: value for key, value in inputs.items() if value is not None}}
    if "number" in settings:
        settings["numeric"] = settings["number"]
    return {**settings, "number": settings["numeric"]}


def _alphabets(settings: Properties) -> dict[str, str]:
    """Return the enabled classes' characters by the name of the input that demands a minimum of them."""
    special = settings.get("overrideSpecial") or SPECIAL
    classes = {
        "minLower": ("lower", string.ascii_lowercase),
        "minUpper": ("upper", string.ascii_uppercase),
        "minNumeric": ("numeric", string.digits),
        "minSpecial": ("special", special),
    }
    return {minimum: characters for minimum, (switch, characters) in classes.items() if settings[switch]}


def _faults(inputs: Properties) -> list[str]:
    faults = [f"{key} is no input (inputs: {', '.join(sorted(_KNOWN))})" for key in inputs if key not in _KNOWN]
    settings = _settings(inputs)
    for key in ("length", *_MINIMUMS):
        value = settings.get(key)
        least = 1 if key == "length" else 0
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            faults.append(f"{key} is {value!r}: it must be a whole number, at least {least}")
    if faults:
        return faults
    alphabets = _alphabets(settings)
    if not alphabets:
        faults.append("no class of characters is left: enable one of lower, upper, numeric, special")
    faults += [
        f"{key} is {settings[key]} but that class is switched off"
        for key in _MINIMUMS
        if settings[key] and key not in alphabets
    ]
    if sum(settings[key] for key in alphabets) > settings["length"]:
        faults.append(f"length is {settings['length']}: the minimums add up to more")
    return faults


def _draw(settings: Properties) -> str:
    alphabets = _alphabets(settings)
    drawn = [secrets.choice(characters) for key, characters in alphabets.items() for _ in range(settings[key])]
    everything = "".join(alphabets.values())
    drawn += [secrets.choice(everything) for _ in range(settings["length"] - len(drawn))]
    secrets.SystemRandom().shuffle(drawn)
    return "".join(drawn)

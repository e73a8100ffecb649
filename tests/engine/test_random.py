"""Passwords: what they consist of, and when they are drawn anew."""

import asyncio
import string
from typing import Any

import bcrypt
import pytest

from lab.engine.provider import Context, ProviderError
from lab.engine.random import PASSWORD, SPECIAL, RandomProvider
from lab.engine.values import UNKNOWN

pytestmark = pytest.mark.unit


def context(**options: Any) -> Context:
    return Context("urn:pulumi:s::p::random::password", PASSWORD, "password", **options)


def create(inputs: dict[str, Any], **options: Any) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        provider = RandomProvider()
        checked = await provider.check(context(), None, inputs)
        return (await provider.create(context(**options), checked))[1]

    return asyncio.run(run())


def test_a_password_without_specials_has_letters_and_digits_only() -> None:
    result = create({"length": 200, "special": False})["result"]
    assert len(result) == 200
    assert set(result) <= set(string.ascii_letters + string.digits)


def test_special_characters_are_those_asked_for() -> None:
    assert set(create({"length": 400})["result"]) & set(SPECIAL)
    only = {"length": 50, "overrideSpecial": "~^", "upper": False, "lower": False, "numeric": False}
    assert set(create(only)["result"]) <= set("~^")


def test_minimums_are_met() -> None:
    result = create({"length": 10, "minUpper": 4, "minNumeric": 3, "minSpecial": 2})["result"]
    assert sum(item in string.ascii_uppercase for item in result) >= 4
    assert sum(item in string.digits for item in result) >= 3
    assert sum(item in SPECIAL for item in result) >= 2


def test_no_password_is_drawn_twice() -> None:
    assert len({create({"length": 16})["result"] for _ in range(20)}) == 20


def test_the_hash_is_of_the_password() -> None:
    outputs = create({"length": 16})
    assert bcrypt.checkpw(outputs["result"].encode(), outputs["bcryptHash"].encode())


def test_a_preview_does_not_draw() -> None:
    outputs = create({"length": 16}, preview=True)
    assert outputs["result"] is UNKNOWN
    assert outputs["bcryptHash"] is UNKNOWN


def test_password_and_hash_are_secret() -> None:
    assert RandomProvider().secret_outputs(PASSWORD) == {"result", "bcryptHash"}


def test_a_changed_keeper_replaces_and_an_equal_one_does_not() -> None:
    old = {"length": 32, "keepers": {"generation": "1"}}

    async def diff(new: dict[str, Any]) -> Any:
        return await RandomProvider().diff(context(), old, {}, new)

    changed = asyncio.run(diff({"length": 32, "keepers": {"generation": "2"}}))
    assert changed.replace_paths == changed.paths == ("keepers.generation",)
    assert asyncio.run(diff(dict(old))).paths == ()


def test_a_password_that_was_not_yet_drawn_is_not_found() -> None:
    provider = RandomProvider()
    inputs = {"length": 8}
    assert asyncio.run(provider.read(context(), None, inputs, {})) is None
    live = asyncio.run(provider.read(context(), "none", inputs, {"result": "x"}))
    assert live is not None
    assert live.outputs == {"result": "x"}


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"length": 0}, "length is 0: it must be a whole number, at least 1"),
        ({}, "length is None"),
        ({"length": 2, "minUpper": 3}, "length is 2: the minimums add up to more"),
        ({"length": 4, "lower": False, "minLower": 1}, "minLower is 1 but that class is switched off"),
        ({"length": 4, "characters": "x"}, "characters is no input"),
    ],
)
def test_refused_inputs_are_named(inputs: dict[str, Any], said: str) -> None:
    with pytest.raises(ProviderError, match=said):
        create(inputs)


def test_another_type_of_the_package_is_refused_by_name() -> None:
    other = Context("urn", "random:index/randomPet:RandomPet", "pet")
    with pytest.raises(ProviderError, match=r"random:index/randomPet:RandomPet is not supported.*RandomPassword"):
        asyncio.run(RandomProvider().check(other, None, {}))

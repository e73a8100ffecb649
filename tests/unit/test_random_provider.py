"""The lab's own provider of passwords: what they consist of, and when they are drawn anew."""

from __future__ import annotations

import asyncio
import string
from typing import Any

import bcrypt
import pytest
from pulumi.provider.experimental import provider
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc

from lab.pulumi.passwords import SPECIAL
from lab.pulumi.random_provider import PASSWORD, RandomProvider, _value

pytestmark = pytest.mark.unit

URN = f"urn:pulumi:s::p::shop:index:User${PASSWORD}::password"


def values(inputs: dict[str, Any]) -> dict[str, PropertyValue]:
    return {key: _value(value) for key, value in inputs.items()}


def create(inputs: dict[str, Any], *, preview: bool = False) -> dict[str, PropertyValue]:
    request = provider.CreateRequest(URN, values(inputs), 0, preview)
    return dict(asyncio.run(RandomProvider().create(request)).properties or {})


def password(**inputs: Any) -> str:
    drawn = create(inputs)["result"]
    assert drawn.is_secret
    assert isinstance(drawn.value, str)
    return drawn.value


def check(type_token: str, inputs: dict[str, PropertyValue]) -> dict[str, str]:
    request = provider.CheckRequest(f"urn:pulumi:s::p::shop:index:User${type_token}::password", {}, inputs, b"")
    failures = asyncio.run(RandomProvider().check(request)).failures or []
    return {failure.property: failure.reason for failure in failures}


def replaced_by(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    state = create(old)
    response = asyncio.run(RandomProvider().diff(provider.DiffRequest(URN, "none", state, values(new), [])))
    assert response.changes is bool(response.replaces)
    return response.replaces


def test_a_password_without_specials_has_letters_and_digits_only() -> None:
    drawn = password(length=200, special=False)
    assert len(drawn) == 200
    assert set(drawn) <= set(string.ascii_letters + string.digits)


def test_special_characters_are_those_asked_for() -> None:
    assert set(password(length=400)) & set(SPECIAL)
    assert set(password(length=50, overrideSpecial="~^", upper=False, lower=False, numeric=False)) <= set("~^")


def test_minimums_are_met() -> None:
    drawn = password(length=10, minUpper=4, minNumeric=3, minSpecial=2)
    assert sum(item in string.ascii_uppercase for item in drawn) >= 4
    assert sum(item in string.digits for item in drawn) >= 3
    assert sum(item in SPECIAL for item in drawn) >= 2


def test_no_password_is_drawn_twice() -> None:
    assert len({password(length=16) for _ in range(20)}) == 20


def test_the_hash_is_of_the_password() -> None:
    outputs = create({"length": 16})
    result, hashed = str(outputs["result"].value), str(outputs["bcryptHash"].value)
    assert bcrypt.checkpw(result.encode(), hashed.encode())


def test_a_preview_does_not_draw() -> None:
    drawn = create({"length": 16}, preview=True)["result"]
    assert drawn.is_secret
    assert drawn.marshal().struct_value.fields["value"].string_value == rpc.UNKNOWN


@pytest.mark.parametrize(
    ("inputs", "failures"),
    [
        ({"length": 0}, {"length": "is 0, must be a whole number of at least 1"}),
        ({"length": 4, "minLower": 3, "minUpper": 2}, {"length": "is 4, less than the sum of the minimums"}),
        ({"length": 4, "lower": False, "minLower": 1}, {"minLower": "is 1, but its class of characters is disabled"}),
        (
            {"length": 4, "lower": False, "upper": False, "numeric": False, "special": False},
            {"lower": "at least one of lower, upper, numeric and special must be true"},
        ),
        ({"length": 8, "keepers": {"rotation": "2"}}, {}),
    ],
)
def test_inputs_that_the_real_provider_refuses_are_refused(inputs: dict[str, Any], failures: dict[str, str]) -> None:
    assert check(PASSWORD, values(inputs)) == failures


def test_an_input_that_is_not_known_yet_is_not_judged() -> None:
    assert check(PASSWORD, {"length": PropertyValue.computed()}) == {}


def test_other_resources_need_the_real_plugin() -> None:
    reason = check("random:index/randomPet:RandomPet", {})[""]
    assert reason.startswith("random:index/randomPet:RandomPet needs the real random plugin")


def test_the_same_inputs_keep_the_password_and_others_replace_it() -> None:
    kept = {"length": 16, "keepers": {"rotation": "1"}}
    assert replaced_by(kept, kept) == []
    assert replaced_by(kept, {"length": 16, "keepers": {"rotation": "2"}}) == ["keepers"]
    assert replaced_by(kept, kept | {"special": False}) == ["special"]

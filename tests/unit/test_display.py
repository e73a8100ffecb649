"""What a run of the engine shows: a line per change, each message once, and fields without secrets."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest

from lab.pulumi.display import Display, changed, waiting

pytestmark = pytest.mark.unit

URN = "urn:pulumi:lab::shop::kubernetes:core/v1:ConfigMap::orders"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}


def state(**inputs: Any) -> Any:
    return SimpleNamespace(inputs=inputs, outputs={}, protect=False, retain_on_delete=False)


def step(op: str, old: Any = None, new: Any = None, **more: Any) -> Any:
    fields = {
        "op": SimpleNamespace(value=op),
        "urn": URN,
        "type": "kubernetes:core/v1:ConfigMap",
        "provider": "default",
    }
    return SimpleNamespace(**{**fields, "old": old, "new": new, **more})


def event(**kind: Any) -> Any:
    names = ("resource_pre_event", "res_outputs_event", "res_op_failed_event", "diagnostic_event")
    return SimpleNamespace(**{name: kind.get(name) for name in names})


def message(text: str, severity: str = "error") -> Any:
    return event(diagnostic_event=SimpleNamespace(message=text, severity=severity, ephemeral=False, urn=URN))


def shown(command: str, *events: Any) -> tuple[str, Display]:
    stream = io.StringIO()
    with Display(stream, command) as display:
        for found in events:
            display.event(found)
    return stream.getvalue(), display


def run(one: Any) -> tuple[Any, Any]:
    metadata = SimpleNamespace(metadata=one)
    return event(resource_pre_event=metadata), event(res_outputs_event=metadata)


def test_up_shows_each_change_and_counts_it() -> None:
    text, display = shown("up", *run(step("create", new=state())), *run(step("same")))
    assert text == "create kubernetes:core/v1:ConfigMap orders (0.0 s)\n"
    assert display.summary(2) == "1 created, 1 unchanged (2 s)"


def test_components_and_providers_are_not_shown() -> None:
    text, display = shown("up", *run(step("create", provider="")), *run(step("create", type="pulumi:providers:random")))
    assert text == ""
    assert display.summary(2) == "no changes, 0 unchanged (2 s)"


def test_a_preview_says_what_changes_in_access_first_and_then_each_field() -> None:
    before, after = ({"accessModel": {"topics": topics}} for topics in (["orders"], ["orders", "returns"]))
    stack = step("update", SimpleNamespace(outputs=before), SimpleNamespace(outputs=after), type="pulumi:pulumi:Stack")
    change = step("update", state(data={"a": 1}, __internal=1), state(data={"a": 2}, __internal=2))
    text, display = shown("preview", *run(change), event(res_outputs_event=SimpleNamespace(metadata=stack)))
    assert text == ""
    assert display.report() == [
        "new: topic returns",
        "",
        "update kubernetes:core/v1:ConfigMap orders",
        "  ! data.a: 1 => 2",
    ]
    assert display.summary(2) == "1 to update, 0 unchanged (2 s)"


def test_no_secret_is_shown() -> None:
    lines = changed(
        step("update", state(data={"a": SECRET}), state(data={"a": {**SECRET, "ciphertext": "b"}, "b": SECRET}))
    )
    assert lines == ['+ data.b: "[secret]"']


def test_an_error_is_shown_once_and_without_the_words_of_the_wrappers(capsys: pytest.CaptureFixture[str]) -> None:
    _, display = shown(
        "up",
        message("<{%reset%}>services = 'x': must be a list<{%reset%}>\n"),
        message("an unhandled error occurred: program failed:"),
        message("services = 'x': must be a list"),
    )
    assert capsys.readouterr().err == "error: services = 'x': must be a list\n"
    assert display.has_error


def test_the_oldest_step_and_its_reason_are_what_a_run_waits_for() -> None:
    begun = {f"{URN}-2": 5.0, URN: 1.0}
    assert waiting(begun, {URN: "1 of 2 pods ready"}, 9.0) == (
        "waiting for orders (8 s): 1 of 2 pods ready, and 1 more"
    )
    assert waiting({}, {}, 9.0) == ""

"""The lines that a reviewer reads of two values."""

from __future__ import annotations

from typing import Any

import pytest

from harness.fields import differences, tree
from harness.values import UNKNOWN, Secret

pytestmark = pytest.mark.unit


def container(name: str, **env: str) -> dict[str, Any]:
    return {"name": name, "image": "app:1", "env": [{"name": key, "value": value} for key, value in env.items()]}


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ({"a": 1, "b": {"c": True}}, {"b": {"c": True}, "a": 1}, []),
        ({"b": 1}, {"b": 2, "a": "x"}, ['+ a: "x"', "! b: 1 => 2"]),
        ({"a": {"b.c/d": 1}}, {"a": {}}, ["- a[b.c/d]: 1"]),
        ({"a": 1}, {"a": True}, ["! a: 1 => true"]),
        ({"a": [1, 2]}, {"a": [2, 3, 1]}, ["+ a[1]: 3"]),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["! a: in another order"]),
        ({"a": Secret("x")}, {"a": Secret("y")}, ["! a: [secret] => [secret]"]),
        ({"a": Secret("x")}, {"a": Secret("x")}, []),
        ({"a": UNKNOWN}, {"a": UNKNOWN}, []),
        ({"a": "x"}, {"a": UNKNOWN}, ['! a: "x" => [unknown]']),
        ({"a": "one\ntwo\nthree"}, {"a": "one\n2\nthree"}, ["- a: two", "+ a: 2"]),
        ({"a": "b\na"}, {"a": "a\nb"}, ["! a: lines in another order"]),
        ({"a": None}, {}, ["- a: null"]),
    ],
)
def test_each_field_that_differs_is_a_line(before: Any, after: Any, lines: list[str]) -> None:
    assert list(differences(before, after)) == lines


def test_one_variable_is_one_line_wherever_it_stands() -> None:
    before = {"containers": [container("proxy"), container("app", URL="a", LEVEL="info")]}
    after = {"containers": [container("app", NEW="1", URL="b", LEVEL="info"), container("proxy")]}
    assert list(differences(before, after)) == [
        '! containers[app].env[URL].value: "a" => "b"',
        '+ containers[app].env[NEW]: {name: "NEW", value: "1"}',
    ]


def test_named_items_that_only_moved_are_said_to_have() -> None:
    items = [container("a"), container("b")]
    assert list(differences({"c": items}, {"c": items[::-1]})) == ["! c: in another order"]


def test_a_rule_without_a_name_is_held_against_the_one_most_like_it() -> None:
    def rule(path: str, *who: str) -> dict[str, Any]:
        return {
            "from": [{"source": {"principals": list(who)}}],
            "to": [{"operation": {"methods": ["GET"], "paths": [path]}}],
        }

    before = {"rules": [rule("/a", "x"), rule("/b", "y")]}
    after = {"rules": [rule("/c", "z"), rule("/b", "y", "x"), rule("/a", "x")]}
    assert list(differences(before, after)) == [
        '+ rules[1].from[0].source.principals[1]: "x"',
        '+ rules[0]: {from: [{source: {principals: ["z"]}}], to: [{operation: {methods: ["GET"], paths: ["/c"]}}]}',
    ]


def test_items_with_nothing_in_common_are_gone_and_new() -> None:
    assert list(differences({"a": [{"b": 1}]}, {"a": [{"c": 2}]})) == ["- a[0]: {b: 1}", "+ a[0]: {c: 2}"]


def test_a_long_value_is_shown_by_its_beginning() -> None:
    (line,) = differences({"a": "x"}, {"a": "y" * 5_000})
    assert len(line) < 400
    assert line.endswith("... (5002 characters)")


def test_a_whole_value_is_a_tree_in_order_without_secrets() -> None:
    value = {"b": [{"name": "x", "value": Secret("hunter2")}, {}], "a": {"c": ["1", 2]}, "d": {}}
    assert list(tree(value)) == ["a:", '  c: ["1", 2]', "b:", '- name: "x"', "  value: [secret]", "- {}", "d: {}"]

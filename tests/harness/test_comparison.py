"""What an update would do, told from two graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.comparison import Step, compare, steps
from harness.graph import Graph
from harness.program import Program
from harness.randomness import DRAWN
from tests.harness.test_program import PASSWORD, SECRET, WITH_PASSWORD

pytestmark = pytest.mark.program

WriteProgram = Callable[..., Program]


@pytest.fixture
def graph(write_program: WriteProgram) -> Callable[..., Graph]:
    """Write a program with some texts in it replaced, and preview it with its passwords drawn."""

    def made(source: str, *changes: tuple[str, str], **config: Any) -> Graph:
        for old, new in changes:
            assert old in source
            source = source.replace(old, new)
        return write_program(source).preview(outputs=DRAWN, config=config)

    return made


MakeGraph = Callable[..., Graph]


def test_nothing_changes_between_a_program_and_itself(graph: MakeGraph) -> None:
    assert compare(graph(WITH_PASSWORD), graph(WITH_PASSWORD)) == ()


def test_a_new_password_replaces_the_secret_that_holds_it(graph: MakeGraph) -> None:
    before, after = graph(WITH_PASSWORD), graph(WITH_PASSWORD, ("length=32", "length=33"))
    assert steps(compare(before, after)) == {
        f"{PASSWORD} writer-password": Step.REPLACE,
        f"{SECRET} writer-secret": Step.REPLACE,
    }
    assert after.one(SECRET).inputs["metadata"]["name"] != before.one(SECRET).inputs["metadata"]["name"]


def test_what_the_program_drops_is_deleted_and_what_it_adds_created(graph: MakeGraph) -> None:
    full, empty = graph(WITH_PASSWORD), graph("")
    expected = {"demo:index:Credentials writer", f"{PASSWORD} writer-password", f"{SECRET} writer-secret"}
    assert steps(compare(full, empty)) == dict.fromkeys(expected, Step.DELETE)
    assert steps(compare(empty, full)) == dict.fromkeys(expected, Step.CREATE)


def test_an_alias_keeps_a_resource_and_the_names_below_it(graph: MakeGraph) -> None:
    before = graph(WITH_PASSWORD)
    alias = "pulumi.ResourceOptions(aliases=[pulumi.Alias(name='writer')])"
    after = graph(WITH_PASSWORD, ('Credentials("writer")', f'Credentials("author", {alias})'))
    assert compare(before, after) == ()
    without = graph(WITH_PASSWORD, ('Credentials("writer")', 'Credentials("author")'))
    assert len([step for step in steps(compare(before, without)).values() if step is Step.DELETE]) == 3


IN_PLACE = """
    settings = kubernetes.core.v1.Service(
        "web",
        metadata={"name": "web", "namespace": "shop", "annotations": {"a": "1", "b": "1"}},
        spec={"ports": [{"port": 80}]},
        opts=OPTIONS,
    )
    kubernetes.core.v1.ConfigMap("names", metadata={"name": "names"}, data={"web": settings.metadata.name})
"""


@pytest.mark.parametrize(
    ("options", "change", "expected"),
    [
        ("None", ('"a": "1"', '"a": "2"'), {"kubernetes:core/v1:Service web": Step.UPDATE}),
        ('pulumi.ResourceOptions(ignore_changes=["metadata.annotations.a"])', ('"a": "1"', '"a": "2"'), {}),
        (
            'pulumi.ResourceOptions(ignore_changes=["metadata.annotations.a"])',
            ('"b": "1"', '"b": "2"'),
            {"kubernetes:core/v1:Service web": Step.UPDATE},
        ),
        (
            'pulumi.ResourceOptions(replace_on_changes=["spec.ports[*].port"])',
            ("80", "81"),
            {"kubernetes:core/v1:Service web": Step.REPLACE},
        ),
        ("None", ('"namespace": "shop"', '"namespace": "other"'), {"kubernetes:core/v1:Service web": Step.REPLACE}),
        (
            "None",
            ('"name": "web"', '"name": "site"'),
            {"kubernetes:core/v1:Service web": Step.REPLACE, "kubernetes:core/v1:ConfigMap names": Step.REPLACE},
        ),
    ],
)
def test_a_change_updates_in_place_where_it_can(
    options: str, change: tuple[str, str], expected: dict[str, Step], graph: MakeGraph
) -> None:
    source = IN_PLACE.replace("OPTIONS", options)
    assert steps(compare(graph(source), graph(source, change))) == expected


def test_what_cannot_change_in_place_is_named(graph: MakeGraph) -> None:
    source = IN_PLACE.replace("OPTIONS", "None")
    (change,) = compare(graph(source), graph(source, ('"namespace": "shop"', '"namespace": "other"')))
    assert change.replacing == ("metadata.namespace",)


def test_what_is_only_read_is_no_change(graph: MakeGraph) -> None:
    read = 'kubernetes.core.v1.Namespace.get("there", "default")'
    assert compare(graph(""), graph(read)) == ()

"""Transforms run, as with Pulumi's own engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.program import Program, ProgramFailedError
from harness.values import UNKNOWN, Secret

pytestmark = pytest.mark.program

WriteProgram = Callable[..., Program]

SOURCE = """
    def marked(args):
        if args.type_ != "kubernetes:core/v1:ConfigMap":
            return None
        BODY

    class Group(pulumi.ComponentResource):
        def __init__(self, name, opts=None):
            super().__init__("demo:index:Group", name, None, opts)
            inside = pulumi.ResourceOptions(parent=self)
            kubernetes.core.v1.ConfigMap(f"{name}-settings", data={"a": "1"}, opts=inside)
            kubernetes.core.v1.ServiceAccount(f"{name}-account", opts=inside)

    Group("group", pulumi.ResourceOptions(transforms=[marked]))
    kubernetes.core.v1.ConfigMap("outside", data={"a": "1"})
"""
MARKS = 'return pulumi.ResourceTransformResult(props={**args.props, "data": {"seen": args.name}}, opts=args.opts)'
PROTECTS = """opts = pulumi.ResourceOptions(protect=True, ignore_changes=["data"], aliases=["urn:pulumi:a::b::c::d"])
        return pulumi.ResourceTransformResult(args.props, pulumi.ResourceOptions.merge(args.opts, opts))"""


def test_a_transform_changes_what_is_below_its_resource_and_nothing_else(write_program: WriteProgram) -> None:
    graph = write_program(SOURCE.replace("BODY", MARKS)).preview()
    data = {item.name: item.inputs.get("data") for item in graph.all("kubernetes:core/v1:ConfigMap")}
    assert data == {"group-settings": {"seen": "group-settings"}, "outside": {"a": "1"}}
    assert "data" not in graph.one("kubernetes:core/v1:ServiceAccount").inputs


def test_a_transform_changes_options(write_program: WriteProgram) -> None:
    graph = write_program(SOURCE.replace("BODY", PROTECTS)).preview()
    inside = graph.one("kubernetes:core/v1:ConfigMap", "group-settings")
    assert inside.protect
    assert inside.ignore_changes == ("data",)
    assert inside.aliases == ("urn:pulumi:a::b::c::d",)
    assert inside.version == graph.one("kubernetes:core/v1:ConfigMap", "outside").version
    assert not graph.one("kubernetes:core/v1:ServiceAccount").protect


def test_a_transform_leaves_secret_and_unknown_what_is_and_nothing_else(write_program: WriteProgram) -> None:
    source = """
        def same(args):
            return pulumi.ResourceTransformResult(args.props, args.opts)

        password = random.RandomPassword("password", length=8)
        service = kubernetes.core.v1.Service("web", spec={"type": "LoadBalancer"})
        data = {"known": "x", "secret": password.result, "unknown": service.status.apply(str)}
        kubernetes.core.v1.ConfigMap("seen", data=data, opts=pulumi.ResourceOptions(transforms=[same]))
    """
    seen = write_program(source).preview().one("kubernetes:core/v1:ConfigMap")
    assert seen.inputs["data"] == {"known": "x", "secret": Secret(UNKNOWN), "unknown": UNKNOWN}


def test_a_transform_of_the_stack_changes_all_that_comes_after_it(write_program: WriteProgram) -> None:
    source = SOURCE.replace("BODY", MARKS).replace('"group", pulumi.ResourceOptions(transforms=[marked])', '"group"')
    source = source.replace('Group("group")', 'pulumi.runtime.register_resource_transform(marked)\n    Group("group")')
    data = [item.inputs["data"] for item in write_program(source).preview().all("kubernetes:core/v1:ConfigMap")]
    assert data == [{"seen": "group-settings"}, {"seen": "outside"}]


def test_a_transform_that_fails_ends_the_run_with_its_reason(write_program: WriteProgram) -> None:
    with pytest.raises(ProgramFailedError, match="no such thing"):
        write_program(SOURCE.replace("BODY", 'raise ValueError("no such thing")')).preview()

"""What the harness says of a program."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from pulumi.runtime.proto.resource_pb2 import RegisterResourceRequest

from harness.errors import HarnessError
from harness.graph import Resource
from harness.monitor import requested
from harness.program import Program, ProgramFailedError
from harness.randomness import DRAWN
from harness.recorder import Recorder
from harness.values import UNKNOWN, ResourceReference, Secret, has_secret, reveal

pytestmark = pytest.mark.program

WriteProgram = Callable[..., Program]

PASSWORD = "random:index/randomPassword:RandomPassword"
SECRET = "kubernetes:core/v1:Secret"
WITH_PASSWORD = """
    class Credentials(pulumi.ComponentResource):
        def __init__(self, name, opts=None):
            super().__init__("demo:index:Credentials", name, {"kind": "scram"}, opts)
            password = random.RandomPassword(f"{name}-password", length=32, opts=pulumi.ResourceOptions(parent=self))
            self.secret = kubernetes.core.v1.Secret(
                f"{name}-secret",
                string_data={"password": password.result},
                immutable=True,
                opts=pulumi.ResourceOptions(parent=self),
            )
            self.register_outputs({"secret": self.secret.metadata.name})

    credentials = Credentials("writer")
    pulumi.export("secret", credentials.secret.metadata.name)
"""


def test_resources_carry_their_parents_types_in_the_urn(write_program: WriteProgram) -> None:
    graph = write_program(WITH_PASSWORD).preview()
    secret = graph.one(SECRET)
    assert secret.urn == f"urn:pulumi:test::demo::demo:index:Credentials${SECRET}::writer-secret"
    assert secret.parent == "urn:pulumi:test::demo::demo:index:Credentials::writer"


def test_a_password_is_unknown_and_secret_in_what_takes_it(write_program: WriteProgram) -> None:
    graph = write_program(WITH_PASSWORD).preview()
    secret = graph.one(SECRET)
    assert secret.inputs["stringData"] == Secret(UNKNOWN)
    assert graph.one(PASSWORD).outputs["result"] == Secret(UNKNOWN)
    assert secret.property_dependencies["stringData"] == (graph.one(PASSWORD).urn,)
    assert graph.depends(secret, graph.one(PASSWORD))
    assert not graph.depends(graph.one(PASSWORD), secret)


def test_a_program_that_raises_fails_with_its_message(write_program: WriteProgram) -> None:
    with pytest.raises(ProgramFailedError, match="replicas: must be odd"):
        write_program("raise pulumi.RunError('replicas: must be odd')").preview()


def test_two_resources_of_one_name_are_refused(write_program: WriteProgram) -> None:
    source = """
        for _ in range(2):
            random.RandomPassword("twice", length=8)
    """
    with pytest.raises(ProgramFailedError, match="duplicate resource URN .*::twice"):
        write_program(source).preview()


def test_secret_config_stays_secret_through_outputs(write_program: WriteProgram) -> None:
    source = """
        pulumi.export("token", pulumi.Config().require_secret("token").apply(lambda token: f"Bearer {token}"))
    """
    outputs = write_program(source).preview(config={"token": "abc"}).outputs
    assert has_secret(outputs["token"])


def test_defaults_of_the_project_reach_the_program(write_program: WriteProgram) -> None:
    config = """
        config:
          brokers: {type: integer, default: 3}
          names: {type: array, items: {type: string}, default: [a, b]}
    """
    source = """
        pulumi.export("brokers", pulumi.Config().require_int("brokers"))
        pulumi.export("names", pulumi.Config().require_object("names"))
    """
    assert write_program(source, config=config).preview().outputs == {"brokers": 3, "names": ["a", "b"]}


def test_components_wait_for_what_they_depend_on(write_program: WriteProgram) -> None:
    source = (
        WITH_PASSWORD
        + """
    kubernetes.core.v1.ConfigMap("after", data={"a": "1"}, opts=pulumi.ResourceOptions(depends_on=[credentials]))
    """
    )
    graph = write_program(source).preview()
    after = graph.one("kubernetes:core/v1:ConfigMap")
    assert graph.one(SECRET).urn in after.dependencies
    assert graph.depends(after, graph.one(PASSWORD))


REFERS = """
    other = pulumi.StackReference("organization/other/dev")
    pulumi.export("address", other.get_output("address"))
    pulumi.export("password", other.get_output("password"))
"""


def test_outputs_of_another_stack_are_those_that_the_test_gives(write_program: WriteProgram) -> None:
    given = {"organization/other/dev": {"address": "192.0.2.1", "password": Secret("x")}}
    outputs = write_program(REFERS).preview(references=given).outputs
    assert outputs["address"] == "192.0.2.1"
    assert outputs["password"] == Secret("x")


def test_outputs_of_a_stack_that_was_not_given_are_unknown(write_program: WriteProgram) -> None:
    outputs = write_program(REFERS).preview().outputs
    assert outputs["address"] is UNKNOWN


def test_what_is_made_of_a_password_is_secret_too(write_program: WriteProgram) -> None:
    source = """
        password = random.RandomPassword("it", length=8, opts=pulumi.ResourceOptions(additional_secret_outputs=["id"]))
        pulumi.export("address", pulumi.Output.concat("kafka://me:", password.result))
        pulumi.export("id", password.id)
    """
    assert write_program(source).preview().outputs == {"address": Secret(UNKNOWN), "id": UNKNOWN}


def test_kubernetes_drops_empty_labels_and_annotations_of_its_own_objects(write_program: WriteProgram) -> None:
    graph = write_program("""
        empty = {"name": "it", "annotations": {}, "labels": {}}
        kubernetes.core.v1.ConfigMap("map", metadata=empty)
        kubernetes.core.v1.ConfigMap("full", metadata={**empty, "labels": {"app": "it"}})
        kubernetes.apiextensions.CustomResource("custom", api_version="a.example/v1", kind="It", metadata=empty)
    """).preview()
    found = {item.name: item.inputs["metadata"] for item in graph.resources if item.custom}
    assert found == {
        "map": {"name": "it"},
        "full": {"name": "it", "labels": {"app": "it"}},
        "custom": {"name": "it", "annotations": {}, "labels": {}},
    }


def test_a_generated_name_is_known_and_the_same_each_time(write_program: WriteProgram) -> None:
    first, second = (write_program(WITH_PASSWORD).preview() for _ in range(2))
    assert first.outputs == second.outputs
    assert first.outputs["secret"].startswith("writer-secret-")


def test_drawn_passwords_are_values_and_secret_and_the_same_each_time(write_program: WriteProgram) -> None:
    first, second = (write_program(WITH_PASSWORD).preview(outputs=DRAWN) for _ in range(2))
    password = first.one(PASSWORD).outputs["result"]
    assert isinstance(password, Secret)
    assert len(password.value) == 32
    assert first.one(SECRET).inputs["stringData"] == Secret({"password": password.value})
    assert second.one(PASSWORD).outputs["result"] == password


def test_an_output_that_is_no_input_is_unknown_unless_the_test_says_what_it_is(write_program: WriteProgram) -> None:
    source = """
        service = kubernetes.core.v1.Service("web", metadata={"name": "web"}, spec={"type": "LoadBalancer"})
        pulumi.export("address", service.status.load_balancer.ingress[0].ip)
        pulumi.export("type", service.spec.type)
    """
    program = write_program(source)
    outputs = program.preview().outputs
    assert outputs["address"] is UNKNOWN
    assert outputs["type"] == "LoadBalancer"

    def address(service: Resource) -> dict[str, object]:
        return {"status": {"loadBalancer": {"ingress": [{"ip": f"192.0.2.1 for {service.name}"}]}}}

    supplied = program.preview(outputs={"kubernetes:core/v1:Service": address}).outputs
    assert supplied["address"] == "192.0.2.1 for web"


OPTIONS = """
    space = kubernetes.core.v1.Namespace("space", metadata={"name": "space"})
    provider = kubernetes.Provider("elsewhere", context="elsewhere")
    parent = pulumi.ComponentResource(
        "demo:index:Group", "group", None, pulumi.ResourceOptions(protect=True, retain_on_delete=True)
    )
    kubernetes.core.v1.ConfigMap(
        "settings",
        metadata={"name": "settings", "namespace": space.metadata.name},
        data={"a": "1"},
        opts=pulumi.ResourceOptions(
            parent=parent,
            provider=provider,
            aliases=[pulumi.Alias(name="before")],
            ignore_changes=["data"],
            replace_on_changes=["metadata.labels"],
            delete_before_replace=True,
            deleted_with=space,
            additional_secret_outputs=["binaryData"],
            custom_timeouts=pulumi.CustomTimeouts(create="1m30s"),
            depends_on=[space],
            version="4.1.0",
        ),
    )
"""


def test_a_resource_has_all_its_options(write_program: WriteProgram) -> None:
    graph = write_program(OPTIONS).preview()
    settings, space = graph.one("kubernetes:core/v1:ConfigMap"), graph.one("kubernetes:core/v1:Namespace")
    assert settings.provider == graph.one("pulumi:providers:kubernetes").urn
    assert settings.parent == graph.one("demo:index:Group").urn
    assert settings.protect
    assert settings.retain_on_delete
    assert settings.aliases[0].endswith("$kubernetes:core/v1:ConfigMap::before")
    assert settings.ignore_changes == ("data",)
    assert settings.replace_on_changes == ("metadata.labels",)
    assert settings.delete_before_replace is True
    assert settings.deleted_with == space.urn
    assert settings.additional_secret_outputs == ("binaryData",)
    assert settings.custom_timeouts == {"create": 90.0}
    assert settings.dependencies == (space.urn,)
    assert settings.property_dependencies == {"metadata": (space.urn,)}
    assert settings.version == "4.1.0"


def test_a_timeout_that_is_no_duration_is_refused(write_program: WriteProgram) -> None:
    with pytest.raises(ProgramFailedError, match="custom timeout 'soon': must be a Go duration"):
        write_program(OPTIONS.replace("1m30s", "soon")).preview()


def test_a_chart_is_one_resource_whose_children_are_unknown(write_program: WriteProgram) -> None:
    source = """
        chart = kubernetes.helm.v4.Chart("base", chart="base", version="1.0.0", values={"a": 1})
        kubernetes.core.v1.ConfigMap("after", data={"a": "1"}, opts=pulumi.ResourceOptions(depends_on=[chart]))
        pulumi.export("resources", chart.resources)
    """
    graph = write_program(source).preview()
    chart = graph.one("kubernetes:helm.sh/v4:Chart")
    assert chart.remote
    assert chart.inputs["values"] == {"a": 1}
    assert graph.children(chart) == []
    assert graph.outputs["resources"] is UNKNOWN
    assert graph.depends(graph.one("kubernetes:core/v1:ConfigMap"), chart)


INVOKES = """
    result = pulumi.runtime.invoke("aws:index/getRegion:getRegion", {"short": True}).value
    pulumi.export("region", result["name"])
"""


def test_a_function_answers_what_the_test_supplies(write_program: WriteProgram) -> None:
    program = write_program(INVOKES)
    functions = {"aws:index/getRegion:getRegion": lambda arguments: {"name": f"north, {arguments['short']}"}}
    assert program.preview(functions=functions).outputs["region"] == "north, True"
    with pytest.raises(ProgramFailedError, match="aws:index/getRegion:getRegion: supply its result"):
        program.preview()


def test_a_resource_that_is_read_is_external(write_program: WriteProgram) -> None:
    source = """
        found = kubernetes.core.v1.Namespace.get("there", "default")
        pulumi.export("uid", found.metadata.uid)
    """
    graph = write_program(source).preview()
    there = graph.one("kubernetes:core/v1:Namespace")
    assert (there.external, there.id) == (True, "default")
    assert graph.outputs["uid"] is UNKNOWN


def test_a_resource_passed_as_a_value_is_a_reference(write_program: WriteProgram) -> None:
    source = """
        it = random.RandomPassword("it", length=8)
        pulumi.ComponentResource("demo:index:Group", "group", {"it": it})
    """
    graph = write_program(source).preview()
    group, password = graph.one("demo:index:Group"), graph.one(PASSWORD)
    assert group.inputs["it"] == ResourceReference(password.urn, group.inputs["it"].id)
    assert group.property_dependencies == {"it": (password.urn,)}


def test_a_secret_of_the_test_is_in_no_message(write_program: WriteProgram) -> None:
    source = """
        token = pulumi.Config().require_secret("token")
        kubernetes.core.v1.Secret("kept", string_data={"token": token})
        token.apply(lambda token: pulumi.log.warn(f"the token is {token}"))
    """
    graph = write_program(source).preview(config={"token": Secret("hunter2!")})
    assert ("warning", "the token is [secret]") in graph.messages
    assert reveal(graph.one(SECRET).inputs["stringData"]) == {"token": "hunter2!"}


def test_what_a_failed_program_asked_for_before_is_kept(write_program: WriteProgram) -> None:
    source = """
        random.RandomPassword("first", length=8)
        raise ValueError("no more")
    """
    with pytest.raises(ProgramFailedError, match="ValueError: no more") as error:
        write_program(source).preview()
    assert [item.name for item in error.value.graph.all(PASSWORD)] == ["first"]


def test_each_program_imports_what_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = ModuleType("parts")
    monkeypatch.setitem(sys.modules, "parts", ours)
    outputs = []
    for word in ("one", "two"):
        folder = tmp_path / word
        (folder / "parts").mkdir(parents=True)
        (folder / "Pulumi.yaml").write_text("name: demo\nruntime: python\n")
        (folder / "parts" / "__init__.py").write_text(f"WORD = {word!r}\n")
        (folder / "__main__.py").write_text("import parts\nimport pulumi\npulumi.export('word', parts.WORD)\n")
        outputs.append(Program(folder).preview().outputs["word"])
    assert outputs == ["one", "two"]
    assert sys.modules["parts"] is ours
    monkeypatch.delitem(sys.modules, "parts")
    assert Program(folder).preview().outputs["word"] == "two"
    assert "parts" not in sys.modules


@pytest.mark.parametrize(
    ("yaml", "config", "complaint"),
    [
        ("name: demo\nruntime: nodejs\n", {}, "the harness runs python programs only"),
        ("runtime: python\n", {}, "name is None, must be the project's name"),
        ("name: demo\nruntime: python\nconfig:\n  size: {type: integer}\n", {}, "demo:size: not set and has no default"),
        ("name: demo\nruntime: python\nconfig:\n  size: {type: integer}\n", {"size": "big"}, "demo:size: 'big' is no integer"),
        ("name: demo\nruntime: python\nconfig:\n  size: {type: integer}\n", {"size": True}, "demo:size: True is no integer"),
        ("name: [\n", {}, "not valid YAML"),
    ],
)  # fmt: skip
def test_a_wrong_project_or_setting_is_named(
    yaml: str, config: dict[str, object], complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "Pulumi.yaml").write_text(yaml)
    with pytest.raises(HarnessError, match=complaint):
        Program(tmp_path).preview(config=config)


def test_settings_lie_over_the_stacks_file_and_that_over_the_defaults(
    write_program: WriteProgram, tmp_path: Path
) -> None:
    config = """
        config:
          a: {type: integer, default: 1}
          b: {type: integer, default: 1}
          c: {type: integer, default: 1}
    """
    program = write_program(
        """
        for key in "abc":
            pulumi.export(key, pulumi.Config().require_int(key))
        """,
        config=config,
    )
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  demo:b: 2\n  demo:c: 2\n")
    assert program.preview(stack="dev", config={"c": "3"}).outputs == {"a": 1, "b": 2, "c": 3}


def test_what_a_stacks_file_holds_encrypted_is_secret_and_marked_as_encrypted(
    write_program: WriteProgram, tmp_path: Path
) -> None:
    program = write_program(
        """
        pulumi.export("token", pulumi.Config().require_secret("token"))
        pulumi.export("deep", pulumi.Config().require_secret_object("deep"))
        """
    )
    stack = "config:\n  demo:token: {secure: v1:abc}\n  demo:deep: {user: me, password: {secure: v1:abc}}\n"
    (tmp_path / "Pulumi.dev.yaml").write_text(stack)
    assert program.preview(stack="dev").outputs == {
        "token": Secret("[encrypted]"),
        "deep": Secret({"user": "me", "password": "[encrypted]"}),
    }


def test_a_key_that_is_declared_secret_is_secret_whoever_sets_it(write_program: WriteProgram) -> None:
    config = """
        config:
          token: {type: string, default: "", secret: true}
    """
    source = """
        pulumi.export("secret", [pulumi.runtime.is_config_secret(f"demo:{key}") for key in ("token", "other")])
    """
    program = write_program(source, config=config)
    assert program.preview().outputs == {"secret": [True, False]}
    assert program.preview(config={"token": "abc", "other": "x"}).outputs == {"secret": [True, False]}


def test_what_is_in_a_component_inherits_where_its_request_says_nothing() -> None:
    """As for components of a plugin, which leave that to the engine."""
    recorder = Recorder("test", "demo")
    parent = recorder.register(
        Resource(
            "urn:pulumi:test::demo::a:b:C::c",
            "a:b:C",
            custom=False,
            protect=True,
            deleted_with="x",
            retain_on_delete=True,
        )
    )
    asked = {"type": "a:b:D", "parent": parent.urn, "custom": True}
    child = requested(RegisterResourceRequest(name="silent", **asked), recorder)
    assert (child.protect, child.retain_on_delete, child.deleted_with) == (True, True, "x")
    own = RegisterResourceRequest(name="own", protect=False, retainOnDelete=False, deletedWith="y", **asked)
    child = requested(own, recorder)
    assert (child.protect, child.retain_on_delete, child.deleted_with) == (False, False, "y")

"""What a program's preview shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.engine.plan import Step
from lab.engine.testing import Program, ProgramFailedError
from lab.engine.urn import name_of
from lab.engine.values import UNKNOWN, Secret, has_secret

pytestmark = pytest.mark.engine

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
    preview = write_program(WITH_PASSWORD).preview()
    secret = preview.one(SECRET)
    assert secret.urn == f"urn:pulumi:test::demo::demo:index:Credentials${SECRET}::writer-secret"
    assert secret.parent == "urn:pulumi:test::demo::demo:index:Credentials::writer"


def test_a_password_is_unknown_and_secret_in_what_takes_it(write_program: WriteProgram) -> None:
    preview = write_program(WITH_PASSWORD).preview()
    secret = preview.one(SECRET)
    assert secret.inputs["stringData"] == Secret(UNKNOWN)
    assert secret.property_dependencies["stringData"] == (preview.one(PASSWORD).urn,)
    assert preview.depends(secret, preview.one(PASSWORD))
    assert not preview.depends(preview.one(PASSWORD), secret)


def test_a_generated_name_is_known_before_the_update(write_program: WriteProgram) -> None:
    first, second = (write_program(WITH_PASSWORD).preview() for _ in range(2))
    assert first.outputs == second.outputs
    assert first.outputs["secret"].startswith("writer-secret-")


def test_nothing_changes_against_the_same_programs_state(write_program: WriteProgram) -> None:
    program = write_program(WITH_PASSWORD)
    assert program.preview(state=program.simulate()).steps() == {}


def test_a_new_password_replaces_the_secret_that_holds_it(write_program: WriteProgram) -> None:
    before = write_program(WITH_PASSWORD).simulate()
    after = write_program(WITH_PASSWORD.replace("length=32", "length=33")).simulate(state=before)
    assert after.steps() == {
        f"{PASSWORD} writer-password": Step.REPLACE,
        f"{SECRET} writer-secret": Step.REPLACE,
    }
    assert after.one(SECRET).inputs["metadata"]["name"] != before.one(SECRET).inputs["metadata"]["name"]


def test_what_the_program_drops_is_deleted(write_program: WriteProgram) -> None:
    before = write_program(WITH_PASSWORD).simulate()
    after = write_program("pulumi.export('nothing', 1)").preview(state=before)
    assert set(after.steps().values()) == {Step.DELETE}
    assert len(after.steps()) == 3


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


def test_protection_is_inherited_and_stops_a_deletion(write_program: WriteProgram) -> None:
    protected = WITH_PASSWORD.replace(
        'Credentials("writer")', 'Credentials("writer", pulumi.ResourceOptions(protect=True))'
    )
    before = write_program(protected).simulate()
    assert before.one(SECRET).protect
    with pytest.raises(ProgramFailedError, match="is protected"):
        write_program("").preview(state=before)


def test_what_a_chart_consists_of_is_protected_with_it(write_program: WriteProgram, tmp_path: Path) -> None:
    (tmp_path / "chart" / "templates").mkdir(parents=True)
    (tmp_path / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: chart\nversion: 1.0.0\n")
    account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: account}\n"
    (tmp_path / "chart" / "templates" / "account.yaml").write_text(account)
    source = """
        kubernetes.helm.v4.Chart("chart", chart="chart", opts=pulumi.ResourceOptions(protect=True))
    """
    assert write_program(source).preview().one("kubernetes:core/v1:ServiceAccount").protect


def test_an_alias_keeps_the_resource_that_it_names(write_program: WriteProgram) -> None:
    before = write_program(WITH_PASSWORD).simulate()
    renamed = WITH_PASSWORD.replace(
        'Credentials("writer")',
        'Credentials("author", pulumi.ResourceOptions(aliases=[pulumi.Alias(name="writer")]))',
    )
    after = write_program(renamed).preview(state=before)
    assert after.steps() == {}
    assert after.one(SECRET).inputs["metadata"]["name"].startswith("writer-secret-")


def test_ignored_changes_are_no_changes(write_program: WriteProgram) -> None:
    source = """
        kubernetes.core.v1.ConfigMap(
            "settings",
            metadata={{"name": "settings", "annotations": {{"a": "{a}", "b": "{b}"}}}},
            opts=pulumi.ResourceOptions(ignore_changes=["metadata.annotations.a"]),
        )
    """
    before = write_program(source.format(a=1, b=1)).simulate()
    assert write_program(source.format(a=2, b=1)).preview(state=before).steps() == {}
    after = write_program(source.format(a=2, b=2)).preview(state=before)
    assert [change.paths for change in after.changes if change.paths] == [("metadata.annotations.b",)]


def test_replace_on_changes_replaces(write_program: WriteProgram) -> None:
    source = """
        kubernetes.core.v1.Service(
            "web", spec={{"ports": [{{"port": {port}}}]}}, opts=pulumi.ResourceOptions(replace_on_changes=["spec.ports[*].port"])
        )
    """
    before = write_program(source.format(port=80)).simulate()
    after = write_program(source.format(port=81)).preview(state=before)
    assert after.steps() == {"kubernetes:core/v1:Service web": Step.REPLACE}


def test_a_namespace_deleted_before_it_is_replaced_takes_what_is_in_it_along(
    write_program: WriteProgram,
) -> None:
    source = """
        space = kubernetes.core.v1.Namespace("space", metadata={{"name": "{name}"}}, opts=pulumi.ResourceOptions(delete_before_replace=True))
        kubernetes.core.v1.ConfigMap("settings", metadata={{"name": "settings", "namespace": space.metadata.name}}, data={{"a": "1"}})
        kubernetes.core.v1.ConfigMap("other", metadata={{"name": "other"}}, data={{"a": "1"}})
    """
    before = write_program(source.format(name="one")).simulate()
    after = write_program(source.format(name="two")).preview(state=before)
    assert after.steps() == {
        "kubernetes:core/v1:Namespace space": Step.REPLACE,
        "kubernetes:core/v1:ConfigMap settings": Step.REPLACE,
    }
    done = [(change.step, name_of(change.resource.urn)) for change in after.changes if change.step is not Step.SAME]
    assert done == [
        (Step.DELETE_REPLACED, "settings"),
        (Step.DELETE_REPLACED, "space"),
        (Step.REPLACE, "space"),
        (Step.REPLACE, "settings"),
    ]


def test_options_that_this_engine_has_not_are_named(write_program: WriteProgram) -> None:
    source = """
        random.RandomPassword("known", length=8, opts=pulumi.ResourceOptions(import_="none"))
    """
    with pytest.raises(ProgramFailedError, match="does not support the option import"):
        write_program(source).preview()


def test_a_package_that_this_engine_has_not_is_named(write_program: WriteProgram) -> None:
    source = """
        pulumi.CustomResource("aws:s3/bucket:Bucket", "bucket", {})
    """
    with pytest.raises(ProgramFailedError, match="no package 'aws', only kubernetes, random"):
        write_program(source).preview()


def test_a_chart_that_is_not_on_disk_is_one_opaque_resource_and_said_so(write_program: WriteProgram) -> None:
    source = """
        kubernetes.helm.v4.Chart("base", chart="base", version="1.0.0", repository_opts={"repo": "https://charts.invalid"}, values={"a": 1})
    """
    preview = write_program(source).preview()
    chart = preview.one("kubernetes:helm.sh/v4:Chart")
    assert chart.inputs["version"] == "1.0.0"
    assert chart.inputs["values"] == {"a": 1}
    assert preview.children(chart) == []
    assert ["not on disk" in change.note for change in preview.changes if change.resource.urn == chart.urn] == [True]


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
    preview = write_program(source).preview()
    after = preview.one("kubernetes:core/v1:ConfigMap")
    assert preview.one(SECRET).urn in after.dependencies
    assert preview.depends(after, preview.one(PASSWORD))


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

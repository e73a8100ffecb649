"""The Kubernetes provider against a real API server."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from lab.engine.kubernetes import KubernetesProvider
from lab.engine.provider import Context, ImmutableFieldError, Live, ProviderError
from lab.engine.values import UNKNOWN

pytestmark = pytest.mark.lab

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
DEFINITION = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
NAMESPACE = "kubernetes:core/v1:Namespace"
NODE = "kubernetes:core/v1:Node"
SECRET = "kubernetes:core/v1:Secret"
SERVICE = "kubernetes:core/v1:Service"
WIDGET = "kubernetes:example.com/v1:Widget"

Result = TypeVar("Result")


def context(token: str, name: str, **options: Any) -> Context:
    return Context(f"urn:pulumi:test::provider::{token}::{name}", token, name, **options)


def run(cluster: Any, action: Callable[[KubernetesProvider], Awaitable[Result]]) -> Result:
    """Run an action with a provider of its own."""

    async def main() -> Result:
        provider = KubernetesProvider({"kubeconfig": str(cluster.kubeconfig)}, Path(), offline=False)
        try:
            return await action(provider)
        finally:
            await provider.close()

    return asyncio.run(main())


def make(cluster: Any, token: str, inputs: dict[str, Any], name: str = "thing", **options: Any) -> Live:
    """Check and create a resource."""

    async def action(provider: KubernetesProvider) -> Live:
        checked = await provider.check(context(token, name), None, inputs)
        identifier, outputs = await provider.create(context(token, name, **options), checked)
        return Live(identifier, checked, outputs)

    return run(cluster, action)


def read(cluster: Any, token: str, made: Live, identifier: str | None = "") -> Live | None:
    wanted = made.id if identifier == "" else identifier
    return run(cluster, lambda provider: provider.read(context(token, "thing"), wanted, made.inputs, made.outputs))


def update(cluster: Any, token: str, made: Live, inputs: dict[str, Any], **options: Any) -> dict[str, Any]:
    about = context(token, "thing", **options)
    return run(cluster, lambda provider: provider.update(about, made.id, made.outputs, inputs))


def delete(cluster: Any, token: str, made: Live, **options: Any) -> None:
    run(cluster, lambda provider: provider.delete(context(token, "thing", **options), made.id, made.outputs))


@pytest.fixture
def namespace(cluster: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"p{abs(hash(request.node.name)) % 10**8}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def widgets(cluster: Any) -> Iterator[Live]:
    """A CustomResourceDefinition with a status and a field that cannot change."""
    immutable = [{"rule": "self == oldSelf", "message": "size is immutable"}]
    spec = {
        "type": "object",
        "properties": {"size": {"type": "integer", "x-kubernetes-validations": immutable}},
    }
    status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}},
    }
    definition = {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [version],
        },
    }
    made = make(cluster, DEFINITION, definition)
    yield made
    delete(cluster, DEFINITION, made)


def config_map(namespace: str, name: str = "settings", **parts: Any) -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": name, **parts.pop("metadata", {})}
    return {"metadata": metadata, "data": {"a": "1"}, **parts}


def widget(namespace: str, annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": "widget", "annotations": annotations or {}}
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata, "spec": spec}


def test_a_field_taken_out_of_the_program_goes_from_the_object(cluster: Any, namespace: str) -> None:
    made = make(cluster, CONFIG_MAP, config_map(namespace, metadata={"labels": {"keep": "1", "drop": "1"}}))
    changed = {**made.inputs, "metadata": {**made.inputs["metadata"], "labels": {"keep": "2"}}}
    outputs = update(cluster, CONFIG_MAP, made, changed)
    assert outputs["metadata"]["labels"] == {"keep": "2"}
    assert outputs["metadata"]["uid"] == made.outputs["metadata"]["uid"]
    assert "managedFields" not in outputs["metadata"]
    delete(cluster, CONFIG_MAP, made)
    assert read(cluster, CONFIG_MAP, made) is None
    delete(cluster, CONFIG_MAP, made)


def test_a_change_by_hand_shows_and_is_repaired_and_an_addition_does_not(cluster: Any, namespace: str) -> None:
    made = make(cluster, CONFIG_MAP, config_map(namespace))
    patch = '{"data":{"a":"changed"},"metadata":{"labels":{"added":"1"}}}'
    cluster.kubectl("patch", "configmap", "settings", "-n", namespace, "--type=merge", "-p", patch)
    live = read(cluster, CONFIG_MAP, made)
    assert live is not None
    assert live.inputs == {**made.inputs, "data": {"a": "changed"}}
    assert live.outputs["metadata"]["labels"] == {"added": "1"}
    repaired = update(cluster, CONFIG_MAP, made, made.inputs)
    assert repaired["data"] == {"a": "1"}


def test_what_a_controller_owns_is_not_taken_from_it(cluster: Any, namespace: str) -> None:
    made = make(cluster, CONFIG_MAP, config_map(namespace))
    patch = ("patch", "configmap", "settings", "-n", namespace, "--type=merge", "-p", '{"data":{"a":"2"}}')
    cluster.kubectl(*patch, "--field-manager=some-controller")
    with pytest.raises(ProviderError, match=r"another manager owns \.data\.a .*some-controller"):
        update(cluster, CONFIG_MAP, made, made.inputs)


def test_a_conflict_names_field_manager_and_fix_and_can_be_forced(cluster: Any, namespace: str) -> None:
    cluster.kubectl("create", "configmap", "settings", "-n", namespace, "--from-literal=a=theirs")
    wanted = config_map(namespace)
    with pytest.raises(ProviderError, match=r'\.data\.a .*kubectl-create.*pulumi.com/patchForce: "true"'):
        make(cluster, CONFIG_MAP, wanted)
    forced = config_map(namespace, metadata={"annotations": {"pulumi.com/patchForce": "true"}})
    assert make(cluster, CONFIG_MAP, forced).outputs["data"] == {"a": "1"}


def test_a_misspelt_field_is_named(cluster: Any, namespace: str) -> None:
    wrong = {
        "metadata": {"namespace": namespace, "name": "s"},
        "spec": {"portz": [], "ports": [{"port": 80}]},
    }
    started = time.monotonic()
    with pytest.raises(ProviderError, match="portz"):
        make(cluster, SERVICE, wrong)
    assert time.monotonic() - started < 10


def test_a_refused_secret_does_not_show_its_value(cluster: Any, namespace: str) -> None:
    metadata = {"namespace": namespace, "name": "s"}
    with pytest.raises(ProviderError, match=r"Secret .*/s: refused \(HTTP") as caught:
        make(cluster, SECRET, {"metadata": metadata, "data": {"password": 8675309}})
    assert "8675309" not in str(caught.value)
    with pytest.raises(ProviderError, match=r"data\[tls.crt\]: FieldValueRequired"):
        make(cluster, SECRET, {"metadata": metadata, "type": "kubernetes.io/tls", "stringData": {"a": "b"}})


def test_a_preview_changes_nothing_and_knows_what_the_server_fills_in(cluster: Any, namespace: str) -> None:
    inputs = {"metadata": {"namespace": namespace, "name": "s"}, "spec": {"ports": [{"port": 80}]}}
    foreseen = make(cluster, SERVICE, inputs, preview=True)
    assert foreseen.outputs["spec"]["type"] == "ClusterIP"
    assert "clusterIP" not in foreseen.outputs["spec"]
    assert "uid" not in foreseen.outputs["metadata"]
    assert read(cluster, SERVICE, foreseen) is None


@pytest.mark.parametrize("token", [CONFIG_MAP, "kubernetes:nowhere.example.com/v1:Thing"])
def test_a_preview_where_namespace_or_kind_are_missing_shows_the_inputs(cluster: Any, token: str) -> None:
    foreseen = make(cluster, token, {"metadata": {"namespace": "not-there-yet", "name": "x"}}, preview=True)
    assert foreseen.outputs == foreseen.inputs


def test_a_preview_with_unknowns_shows_the_inputs(cluster: Any, namespace: str) -> None:
    foreseen = make(cluster, CONFIG_MAP, config_map(namespace, data={"a": UNKNOWN}), preview=True)
    assert foreseen.outputs == foreseen.inputs


def test_a_missing_namespace_is_named_with_the_fix(cluster: Any) -> None:
    with pytest.raises(ProviderError, match=r"namespace not-there-yet does not exist; create it in the program"):
        make(cluster, CONFIG_MAP, config_map("not-there-yet"))


def test_a_preview_finds_out_that_a_field_cannot_change(cluster: Any, namespace: str, widgets: Live) -> None:
    made = make(cluster, WIDGET, widget(namespace, size=1))
    with pytest.raises(ImmutableFieldError, match="size is immutable"):
        update(cluster, WIDGET, made, {**made.inputs, "spec": {"size": 2}}, preview=True)
    assert widgets.outputs["spec"]["group"] == "example.com"


def test_a_generated_name_lets_the_new_one_come_first(cluster: Any, namespace: str) -> None:
    first = make(cluster, SECRET, {"metadata": {"namespace": namespace}, "stringData": {"a": "1"}}, "password")

    async def replace(provider: KubernetesProvider) -> Live:
        about = context(SECRET, "password")
        wanted = {"metadata": {"namespace": namespace}, "stringData": {"a": "2"}}
        checked = await provider.check(about, first.inputs, wanted)
        found = await provider.diff(about, first.inputs, first.outputs, checked)
        assert (found.replace_paths, found.delete_before_replace) == (("stringData.a",), False)
        renamed = await provider.rename(about, first.inputs, checked)
        identifier, outputs = await provider.create(about, renamed)
        return Live(identifier, renamed, outputs)

    second = run(cluster, replace)
    assert second.id != first.id
    assert read(cluster, SECRET, first) is not None
    assert second.outputs["data"] == {"a": "Mg=="}


@pytest.mark.usefixtures("widgets")
def test_a_custom_resource_is_made_as_soon_as_its_kind_is_served(cluster: Any, namespace: str) -> None:
    names = {"kind": "Gadget", "plural": "gadgets"}
    schema = {"openAPIV3Schema": {"type": "object"}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    definition = {
        "metadata": {"name": "gadgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]},
    }
    gadget = {"metadata": {"namespace": namespace, "name": "g"}}

    async def both(provider: KubernetesProvider) -> tuple[Live, Live]:
        async def one(token: str, inputs: dict[str, Any], delay: float) -> Live:
            await asyncio.sleep(delay)
            checked = await provider.check(context(token, "x"), None, inputs)
            return Live(*await _create(provider, token, checked))

        first, second = await asyncio.gather(
            one("kubernetes:example.com/v1:Gadget", gadget, 0), one(DEFINITION, definition, 0.5)
        )
        return first, second

    made, definitions = run(cluster, both)
    assert made.outputs["kind"] == "Gadget"
    delete(cluster, DEFINITION, definitions)
    assert read(cluster, "kubernetes:example.com/v1:Gadget", made) is None
    delete(cluster, "kubernetes:example.com/v1:Gadget", made)


async def _create(
    provider: KubernetesProvider, token: str, checked: dict[str, Any]
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    identifier, outputs = await provider.create(context(token, "x"), checked)
    return identifier, checked, outputs


@pytest.mark.usefixtures("widgets")
def test_a_condition_is_waited_for_and_failure_is_told(cluster: Any, namespace: str) -> None:
    waiting = widget(namespace, {"pulumi.com/waitFor": "condition=Ready"}, size=1)
    shown: list[str] = []

    def report(condition: str, generation: int) -> None:
        status = f'{{"status":{{"observedGeneration":{generation},"conditions":[{condition}]}}}}'
        arguments = ("patch", "widget", "widget", "-n", namespace, "--subresource=status", "--type=merge")
        cluster.kubectl(*arguments, "-p", status)

    with pytest.raises(ProviderError, match=r"Widget .* is not ready after 0.5 s: waits for condition Ready"):
        make(cluster, WIDGET, waiting, timeout=0.5, status=shown.append)
    assert shown == ["waits for condition Ready"]
    report('{"type":"NotReady","status":"True","reason":"NoSecret","message":"it is missing"}', 1)
    with pytest.raises(ProviderError, match=r"NotReady=True: NoSecret: it is missing"):
        make(cluster, WIDGET, waiting, timeout=0.5)
    report('{"type":"Ready","status":"True"}', 1)
    assert make(cluster, WIDGET, waiting, timeout=5).outputs["status"]["observedGeneration"] == 1


def test_a_rollout_and_a_service_are_waited_for_until_pods_are_ready(cluster: Any, namespace: str) -> None:
    labels = {"app": "web"}
    node = make(cluster, NODE, {"metadata": {"name": namespace}})
    container = {"name": "main", "image": "web:1"}
    pod = {"metadata": {"labels": labels}, "spec": {"nodeName": namespace, "containers": [container]}}
    metadata = {"namespace": namespace, "name": "web"}
    spec = {"selector": {"matchLabels": labels}, "template": pod}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    service = {"metadata": metadata, "spec": {"selector": labels, "ports": [{"port": 80}]}}
    shown: list[str] = []

    async def roll_out(provider: KubernetesProvider) -> tuple[dict[str, Any], dict[str, Any]]:
        async def one(token: str, inputs: dict[str, Any]) -> dict[str, Any]:
            about = context(token, "web", timeout=30, status=shown.append)
            return (await provider.create(about, await provider.check(about, None, inputs)))[1]

        def become_ready() -> None:
            pods = cluster.kubectl("get", "pods", "-n", namespace, "-o", "name").split()
            ready = '{"type":"Ready","status":"True"}'
            status = f'{{"status":{{"phase":"Running","podIP":"10.9.9.9","conditions":[{ready}]}}}}'
            arguments = (
                "patch",
                *pods,
                "-n",
                namespace,
                "--subresource=status",
                "--type=merge",
                "-p",
                status,
            )
            cluster.kubectl(*arguments)

        both = asyncio.gather(one("kubernetes:apps/v1:Deployment", deployment), one(SERVICE, service))
        await asyncio.sleep(2)
        assert not both.done()
        await asyncio.to_thread(become_ready)
        first, second = await both
        return first, second

    rolled_out, _ = run(cluster, roll_out)
    assert rolled_out["status"]["availableReplicas"] == 1
    assert "waits for pods: 0 of 1 updated and ready" in shown
    assert "waits for a pod behind the Service to be ready" in shown
    delete(cluster, NODE, node)


@pytest.mark.usefixtures("widgets")
def test_an_interrupt_ends_a_wait_at_once(cluster: Any, namespace: str) -> None:
    waiting = widget(namespace, {"pulumi.com/waitFor": "condition=Ready"})

    async def interrupt(provider: KubernetesProvider) -> float:
        checked = await provider.check(context(WIDGET, "thing"), None, waiting)
        task = asyncio.create_task(provider.create(context(WIDGET, "thing"), checked))
        await asyncio.sleep(1)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - started

    assert run(cluster, interrupt) < 0.5


@pytest.mark.usefixtures("widgets")
def test_a_finalizer_that_hangs_is_named_with_the_fix(cluster: Any, namespace: str) -> None:
    inputs = widget(namespace)
    inputs["metadata"]["finalizers"] = ["example.com/hold"]
    made = make(cluster, WIDGET, inputs)
    with pytest.raises(ProviderError, match=r"Widget .*/widget is still there .*example.com/hold.*kubectl edit widget"):
        delete(cluster, WIDGET, made, timeout=0.5)
    patch = '{"metadata":{"finalizers":null}}'
    cluster.kubectl("patch", "widget", "widget", "-n", namespace, "--type=merge", "-p", patch)
    delete(cluster, WIDGET, made)
    assert read(cluster, WIDGET, made) is None


def test_after_a_kill_only_what_this_engine_made_counts_as_made(cluster: Any, namespace: str) -> None:
    cluster.kubectl("create", "configmap", "theirs", "-n", namespace, "--from-literal=a=1")
    theirs = Live("", {"apiVersion": "v1", "kind": "ConfigMap", **config_map(namespace, "theirs")}, {})
    assert read(cluster, CONFIG_MAP, theirs, identifier=None) is None
    ours = make(cluster, CONFIG_MAP, config_map(namespace))
    found = read(cluster, CONFIG_MAP, Live("", ours.inputs, {}), identifier=None)
    assert found == Live(ours.id, ours.inputs, ours.outputs)


def test_the_deletion_of_a_namespace_is_waited_for(cluster: Any) -> None:
    made = make(cluster, NAMESPACE, {"metadata": {"name": "passing"}})
    make(cluster, CONFIG_MAP, config_map("passing"))
    delete(cluster, NAMESPACE, made, timeout=60)
    assert read(cluster, NAMESPACE, made) is None


def test_a_cluster_that_does_not_answer_is_named(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n"
        "contexts: [{name: c, context: {cluster: c}}]\ncurrent-context: c\n"
    )

    class Nowhere:
        kubeconfig = file

    with pytest.raises(ProviderError, match=r"cannot reach the cluster at https://127.0.0.1:1 \(kubeconfig .*\)"):
        make(Nowhere, CONFIG_MAP, config_map("default"))


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "cannot be used"), ("clusters: []\ncontexts: []\n", "[Cc]ontext"), (None, "is not a file")],
)
def test_an_unusable_kubeconfig_is_named(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "kubeconfig"
    if text is not None:
        file.write_text(text)

    class Nowhere:
        kubeconfig = file

    with pytest.raises(ProviderError, match=f"kubeconfig.*{file}.*{said}|{file} {said}"):
        make(Nowhere, CONFIG_MAP, config_map("default"))

"""Kubernetes objects as properties: names, namespaces, what replaces, what a live object says of the inputs."""

from typing import Any

import pytest

from lab.engine.kubernetes import awaiting, objects
from lab.engine.kubernetes.client import ApiError
from lab.engine.provider import Diff, ProviderError

pytestmark = pytest.mark.unit

URN = "urn:pulumi:dev::project::kubernetes:core/v1:Secret::password"


def secret(**parts: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, **parts}


def complete(token: str, inputs: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, Any]:
    return objects.complete(URN, token, "password", inputs, old, "default")


def test_a_name_is_generated_from_the_urn_alone() -> None:
    first = complete("kubernetes:core/v1:Secret", {})
    assert first == complete("kubernetes:core/v1:Secret", {})
    assert first["metadata"]["name"].startswith("password-")
    assert first["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}
    assert (first["apiVersion"], first["kind"], first["metadata"]["namespace"]) == ("v1", "Secret", "default")


def test_a_generated_name_is_kept_and_renamed_for_a_replacement() -> None:
    old = complete("kubernetes:core/v1:Secret", {})
    second = objects.rename(URN, "password", old, complete("kubernetes:core/v1:Secret", {"type": "x"}, old))
    assert second["metadata"]["name"] != old["metadata"]["name"]
    kept = complete("kubernetes:core/v1:Secret", {"type": "x"}, second)
    assert kept["metadata"]["name"] == second["metadata"]["name"]


def test_a_given_name_stays() -> None:
    inputs = {"metadata": {"name": "mine", "namespace": "kafka"}}
    checked = complete("kubernetes:core/v1:Secret", inputs)
    assert checked["metadata"] == inputs["metadata"]
    assert objects.rename(URN, "password", checked, checked) == checked


@pytest.mark.parametrize(
    ("token", "namespaced"),
    [
        ("kubernetes:core/v1:ConfigMap", True),
        ("kubernetes:core/v1:Namespace", False),
        ("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", False),
        ("kubernetes:rbac.authorization.k8s.io/v1:Role", True),
        ("kubernetes:example.com/v1:Thing", False),
    ],
)
def test_the_default_namespace_is_for_namespaced_kinds_of_kubernetes(token: str, namespaced: bool) -> None:
    assert ("namespace" in complete(token, {})["metadata"]) is namespaced


@pytest.mark.parametrize(
    "token",
    [
        "kubernetes:helm.sh/v3:Release",
        "kubernetes:core/v1:SecretList",
        "kubernetes:yaml/v2:ConfigGroup",
    ],
)
def test_types_that_are_no_single_object_are_refused_by_name(token: str) -> None:
    with pytest.raises(ProviderError, match=token):
        complete(token, {})


@pytest.mark.parametrize(
    ("old", "new", "replaced", "delete_first"),
    [
        (secret(stringData={"a": "1"}), secret(stringData={"a": "2"}), ("stringData.a",), True),
        (secret(), secret(stringData={"a": "2"}), ("stringData",), True),
        (secret(immutable=True), secret(immutable=False), ("immutable",), True),
        (secret(), secret(metadata={"name": "other", "namespace": "n"}), ("metadata.name",), False),
        (secret(), secret(metadata={"name": "s", "namespace": "n", "labels": {"a": "b"}}), (), False),
    ],
)
def test_what_replaces_a_secret(
    old: dict[str, Any], new: dict[str, Any], replaced: tuple[str, ...], delete_first: bool
) -> None:
    found = objects.diff(old, new)
    assert found.paths
    assert (found.replace_paths, found.delete_before_replace) == (replaced, delete_first)


def test_a_generated_name_lets_old_and_new_exist_at_once() -> None:
    old = complete("kubernetes:core/v1:Secret", {"stringData": {"a": "1"}})
    new = complete("kubernetes:core/v1:Secret", {"stringData": {"a": "2"}}, old)
    assert objects.diff(old, new) == Diff(("stringData.a",), ("stringData.a",), delete_before_replace=False)


def test_replicas_change_in_place_and_a_selector_does_not() -> None:
    def deployment(replicas: int, app: str) -> dict[str, Any]:
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": app}}}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}

    assert objects.diff(deployment(1, "a"), deployment(2, "a")) == Diff(("spec.replicas",))
    assert objects.diff(deployment(1, "a"), deployment(1, "b")).replace_paths == ("spec.selector.matchLabels.app",)


def test_equal_inputs_have_no_diff() -> None:
    assert objects.diff(secret(), secret()) == Diff()


def test_string_data_is_sent_as_data() -> None:
    sent = objects.to_apply(secret(stringData={"a": "x"}, data={"b": "eQ=="}, type=None))
    assert sent["data"] == {"a": "eA==", "b": "eQ=="}
    assert "stringData" not in sent
    assert "type" not in sent


def test_live_inputs_show_drift_on_what_the_program_sets_and_nothing_else() -> None:
    inputs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "labels": {"a": "b"}},
        "spec": {
            "replicas": 1,
            "template": {
                "spec": {
                    "securityContext": {},
                    "containers": [{"name": "main", "resources": {"limits": {"memory": "1024Mi"}}}],
                }
            },
        },
    }
    live = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "uid": "1", "labels": {"a": "b", "added": "by somebody"}},
        "spec": {
            "replicas": 3,
            "paused": False,
            "template": {
                "spec": {
                    "containers": [
                        {"name": "injected"},
                        {"name": "main", "resources": {"limits": {"memory": "1Gi"}}, "tty": False},
                    ]
                }
            },
        },
        "status": {"replicas": 3},
    }
    found = objects.live_inputs(inputs, live)
    assert objects.diff(inputs, found).paths == ("spec.replicas",)


def test_a_label_that_was_taken_off_shows() -> None:
    inputs = secret(metadata={"name": "s", "namespace": "n", "labels": {"a": "b"}})
    assert objects.diff(inputs, objects.live_inputs(inputs, secret())).paths == ("metadata.labels",)


def test_string_data_is_compared_with_the_data_that_it_became() -> None:
    inputs = secret(stringData={"a": "x"})
    assert objects.live_inputs(inputs, secret(data={"a": "eA=="})) == inputs
    assert objects.live_inputs(inputs, secret(data={"a": "eQ=="}))["stringData"] == {"a": "y"}


def refusal(status: int, body: dict[str, Any], *, confidential: bool = False) -> ApiError:
    return ApiError("Secret n/s", status, body, confidential=confidential)


def test_a_refused_secret_never_shows_its_value() -> None:
    cause = {"field": "data[password]", "reason": "FieldValueInvalid", "message": 'Invalid value: "hunter2"'}
    body = {"reason": "Invalid", "message": 'Secret is invalid: "hunter2"', "details": {"causes": [cause]}}
    error = refusal(422, body, confidential=True)
    assert "hunter2" not in str(error)
    assert "data[password]: FieldValueInvalid" in str(error)


@pytest.mark.parametrize(
    ("status", "body", "again"),
    [
        (429, {}, True),
        (503, {}, True),
        (409, {"reason": "Conflict", "message": "the object has been modified"}, True),
        (409, {"reason": "Conflict", "details": {"causes": [{"reason": "FieldManagerConflict"}]}}, False),
        (500, {"message": "failed calling webhook: connect: connection refused"}, True),
        (
            500,
            {"message": "failed to create typed patch object: .spec.x: field not declared in schema"},
            False,
        ),
        (422, {"reason": "Invalid"}, False),
    ],
)
def test_only_what_may_pass_is_asked_again(status: int, body: dict[str, Any], again: bool) -> None:
    assert refusal(status, body).transient is again


def custom(wait_for: str, **status: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    metadata = {"name": "u", "generation": 2, "annotations": {"pulumi.com/waitFor": wait_for}}
    inputs = {"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser", "metadata": metadata}
    return inputs, {**inputs, "status": status}


def test_a_condition_counts_for_the_current_generation_only() -> None:
    ready = [{"type": "Ready", "status": "True"}]
    assert awaiting.pending(*custom("condition=Ready", observedGeneration=2, conditions=ready)) is None
    stale = awaiting.pending(*custom("condition=Ready", observedGeneration=1, conditions=ready))
    assert stale == "waits for generation 2 to be observed"


def test_strimzi_s_way_of_failing_is_shown() -> None:
    failed = [{"type": "NotReady", "status": "True", "reason": "InvalidResource", "message": "no such Secret"}]
    assert awaiting.pending(*custom("condition=Ready", observedGeneration=2, conditions=failed)) == (
        "waits for condition Ready (NotReady=True: InvalidResource: no such Secret)"
    )


def test_a_json_path_is_waited_for() -> None:
    assert awaiting.pending(*custom("jsonpath={.status.phase}=Running", phase="Pending")) == (
        "waits for jsonpath={.status.phase}=Running (now Pending)"
    )
    assert awaiting.pending(*custom("jsonpath={.status.phase}=Running", phase="Running")) is None
    assert awaiting.pending(*custom("jsonpath={.status.nodes[1].ok}=true", nodes=[{}, {"ok": True}])) is None


def test_all_of_several_conditions_must_hold() -> None:
    several = '["condition=A", "condition=B=False"]'
    one = {"type": "A", "status": "True"}
    assert awaiting.pending(*custom(several, conditions=[one])) == "waits for condition B"
    assert awaiting.pending(*custom(several, conditions=[one, {"type": "B", "status": "False"}])) is None


def test_a_wait_that_cannot_be_understood_is_refused() -> None:
    with pytest.raises(ProviderError, match=r"pulumi.com/waitFor is 'ready'; allowed are condition=NAME"):
        awaiting.check_wait_for(custom("ready")[0])


def rollout(**status: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    inputs = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "generation": 1}}
    return inputs, {**inputs, "spec": {"replicas": 2}, "status": {"observedGeneration": 1, **status}}


def test_a_rollout_is_over_when_all_pods_are_new_and_available() -> None:
    assert awaiting.pending(*rollout(observedGeneration=0)) == "waits for the Deployment controller"
    half = rollout(updatedReplicas=2, availableReplicas=1, replicas=2)
    assert awaiting.pending(*half) == "waits for pods: 1 of 2 updated and ready"
    old_left = rollout(updatedReplicas=2, availableReplicas=2, replicas=3)
    assert awaiting.pending(*old_left) == "waits for 1 old pods to end"
    assert awaiting.pending(*rollout(updatedReplicas=2, availableReplicas=2, replicas=2)) is None


def test_a_rollout_without_progress_is_given_up() -> None:
    stuck = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    with pytest.raises(awaiting.NeverReadyError, match="ProgressDeadlineExceeded"):
        awaiting.pending(*rollout(conditions=stuck))


def test_nothing_waits_with_skip_await() -> None:
    inputs, _ = rollout()
    assert awaiting.has_await(inputs)
    skipping = {**inputs, "metadata": {"annotations": {"pulumi.com/skipAwait": "true"}}}
    assert not awaiting.has_await(skipping)


def test_services_that_no_pod_must_answer_for() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    selector = {"selector": {"app": "a"}, "type": "ClusterIP"}
    assert awaiting.needs_endpoints(service, {**service, "spec": selector})
    assert not awaiting.needs_endpoints(service, {**service, "spec": {**selector, "clusterIP": "None"}})
    assert not awaiting.needs_endpoints(service, {**service, "spec": {"type": "ClusterIP"}})
    assert awaiting.pending_endpoints([]) is not None
    assert awaiting.pending_endpoints([{"endpoints": [{"conditions": {"ready": False}}]}]) is not None
    assert awaiting.pending_endpoints([{"endpoints": [{"conditions": {"ready": True}}]}]) is None


def test_why_pods_do_not_run_is_said_once() -> None:
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    pod = {"status": {"containerStatuses": [{"name": "main", "state": waiting}]}}
    assert awaiting.pod_faults([pod, pod]) == ["container main: ImagePullBackOff: no such image"]

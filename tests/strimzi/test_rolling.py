"""The order in which Pods are replaced, and what has to be so before one is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from lab.strimzi.cluster import Node, cluster
from lab.strimzi.rolling import Ask, Create, Delete, Done, Health, Observed, Step, Wait, next_step, observed
from tests.strimzi import resources

pytestmark = pytest.mark.unit

HEALTHY = Health(under_replicated=frozenset(), lagging=frozenset(), leader=1, hosted={})


def nodes(*pools: tuple[str, int, tuple[str, ...]]) -> tuple[Node, ...]:
    made = [resources.pool(name, count, roles) for name, count, roles in pools]
    return cluster(resources.kafka(), made, "cluster.local").nodes


COMBINED = nodes(("all", 3, ("controller", "broker")))
SEPARATE = nodes(("a", 3, ("controller",)), ("b", 2, ("broker",)))


def pod(node: Node, revision: str = "new", *, ready: bool = True, **rest: object) -> Observed:
    made = Observed(name=node.pod, node=node.id, revision=revision, ready=ready, ending=False, failed=False)
    return replace(made, **rest)  # type: ignore[arg-type]


def step(these: tuple[Node, ...], found: list[Observed], health: Health | None = HEALTHY) -> Step:
    return next_step(these, {node.pod: "new" for node in these}, found, health)


def test_all_pods_of_a_new_cluster_are_made_at_once() -> None:
    assert step(COMBINED, []) == Create(("log-all-0", "log-all-1", "log-all-2"))


def test_a_missing_pod_is_made_again() -> None:
    assert step(COMBINED, [pod(COMBINED[0]), pod(COMBINED[2])]) == Create(("log-all-1",))


def test_a_pod_that_ended_is_made_again() -> None:
    found = [pod(COMBINED[0], failed=True), *map(pod, COMBINED[1:])]
    assert step(COMBINED, found) == Delete("log-all-0", "it has ended")


def test_nothing_is_asked_of_kafka_when_there_is_nothing_to_do() -> None:
    assert step(COMBINED, list(map(pod, COMBINED)), None) == Done()


def test_one_pod_at_a_time_is_replaced_and_the_leader_is_the_last() -> None:
    revisions = dict.fromkeys((node.pod for node in COMBINED), "old")
    order = []
    while True:
        there = [pod(node, revisions[node.pod]) for node in COMBINED]
        assert step(COMBINED, there, None) in (Ask(), Done())
        found = step(COMBINED, there)
        if found == Done():
            break
        assert isinstance(found, Delete)
        order.append(found.pod)
        gone = [it for it in there if it.name != found.pod]
        ending = [*gone, replace(next(it for it in there if it.name == found.pod), ending=True)]
        assert step(COMBINED, ending) == Wait(f"{found.pod} to end")
        assert step(COMBINED, gone) == Create((found.pod,))
        revisions[found.pod] = "new"
        node = next(node for node in COMBINED if node.pod == found.pod)
        assert step(COMBINED, [*gone, pod(node, ready=False)]) == Wait(f"{found.pod} to be ready")
    assert order == ["log-all-0", "log-all-2", "log-all-1"]


def test_brokers_come_before_controllers() -> None:
    found = step(SEPARATE, [pod(node, "old") for node in SEPARATE])
    assert found == Delete("log-b-3", "its specification has changed")


@pytest.mark.parametrize(
    ("health", "why"),
    [
        (replace(HEALTHY, under_replicated={"t-0", "t-1"}), "2 partitions to have all replicas in sync"),
        (replace(HEALTHY, lagging={2, 0}), "voters 0, 2 to have the whole metadata log"),
    ],
)
def test_a_pod_that_serves_is_left_alone_while_others_need_it(health: Health, why: str) -> None:
    assert step(COMBINED, [pod(node, "old") for node in COMBINED], health) == Wait(why)


def test_a_pod_that_does_not_serve_is_replaced_whatever_the_rest_does() -> None:
    found = [pod(COMBINED[0], "old"), pod(COMBINED[1], "bad", ready=False), pod(COMBINED[2], "old")]
    assert step(COMBINED, found, None) == Delete("log-all-1", "it is not ready, and its specification has changed")


def test_a_roll_stops_at_a_pod_that_does_not_come_up_and_says_why() -> None:
    bad = pod(COMBINED[0], ready=False, waiting="ImagePullBackOff no such release")
    found = [bad, pod(COMBINED[1], "old"), pod(COMBINED[2], "old")]
    assert step(COMBINED, found) == Wait("log-all-0 to be ready (ImagePullBackOff no such release)")


def test_a_broker_goes_only_when_it_holds_nothing() -> None:
    left = tuple(node for node in SEPARATE if node.pod != "log-b-4")
    found = list(map(pod, SEPARATE))
    held = step(left, found, replace(HEALTHY, hosted={4: 7}))
    assert isinstance(held, Wait)
    assert "broker 4 to be rid of its 7 replicas" in held.why
    assert step(left, found, HEALTHY) == Delete("log-b-4", "there are fewer nodes")


def test_a_pod_is_read_as_the_api_server_shows_it() -> None:
    def shown(status: Mapping[str, object], **metadata: object) -> Observed:
        annotations = {"strimzi.io/node-id": "3", "strimzi.io/revision": "abc"}
        return observed({"metadata": {"name": "p", "annotations": annotations, **metadata}, "status": status})

    ready = shown({"conditions": [{"type": "Ready", "status": "True"}]})
    assert (ready.node, ready.revision, ready.ready, ready.ending) == (3, "abc", True, False)
    assert shown({}, deletionTimestamp="now").ending
    assert shown({"phase": "Failed"}).failed
    waiting = {"state": {"waiting": {"reason": "ErrImagePull", "message": "none such"}}}
    assert shown({"containerStatuses": [waiting]}).waiting == "ErrImagePull none such"

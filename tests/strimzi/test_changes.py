"""Changes that would lose data or that the lab cannot make, and what is done instead."""

from __future__ import annotations

from typing import Any

import pytest

from lab.strimzi import changes, pods, secret_manifests
from lab.strimzi.cluster import Cluster, cluster
from lab.strimzi.conditions import RefusedError
from tests.strimzi import resources

pytestmark = pytest.mark.unit

BOTH = ("controller", "broker")


def made(*pools: dict[str, Any]) -> Cluster:
    return cluster(resources.kafka(), list(pools), "cluster.local")


def there(one: Cluster, *pools: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[int, changes.Known]]:
    """Return the pools with the statuses that they have in a cluster, and its nodes."""
    certificates = secret_manifests.certificates(one, {})
    nodes = {pool.name: list(pool.node_ids) for pool in one.pools}
    known = {
        pool.name: {"nodeIds": nodes[pool.name], "roles": list(pool.specification.roles), "replicas": 1}
        for pool in one.pools
    }
    found = [{**pool, "status": known.get(pool["metadata"]["name"])} for pool in pools]
    return found, changes.known(found, [pods.pod(one, node, certificates) for node in one.nodes])


@pytest.mark.parametrize(
    ("after", "instead"),
    [
        ([resources.pool("a", 3), resources.pool("b", 1, ("broker",))], "nodes 0, 2, 3 would be"),
        ([resources.pool("a", 1), resources.pool("b", 1)], "nodes 0, 1 would be"),
        ([resources.pool("a", 1, ("broker",)), resources.pool("b", 1)], "nodes 1 would be"),
        ([resources.pool("b", 1)], "nodes 1 would be"),
    ],
)
def test_the_controllers_of_a_cluster_that_is_there_stay(after: list[dict[str, Any]], instead: str) -> None:
    before = made(resources.pool("a", 1), resources.pool("b", 1, ("broker",)))
    pools, known = there(before, *after)
    with pytest.raises(RefusedError) as refused:
        changes.check(made(*pools), known)
    assert f"{instead} controllers instead of 0" in str(refused.value)


def test_a_pool_does_not_shrink_while_a_broker_that_would_go_has_partitions() -> None:
    controllers, brokers = resources.pool("a", 1, ("controller",)), resources.pool("b", 3, ("broker",))
    before = made(controllers, brokers)
    pools, known = there(before, controllers, resources.pool("b", 2, ("broker",)))
    wanted = made(*pools)
    assert changes.removed(wanted, known) == {3}
    assert changes.reverted(pools, {3}, known, {1: 5, 2: 5}) == (pools, [])
    undone, warned = changes.reverted(pools, {3}, known, {1: 5, 3: 1})
    assert [node.id for node in made(*undone).nodes] == [0, 1, 2, 3]
    assert [(it["type"], it["reason"], it["message"]) for it in warned] == [
        (
            "Warning",
            "ScaleDownPreventionCheck",
            "Reverting scale-down of KafkaNodePool b by changing number of replicas to 3",
        )
    ]


def test_a_node_stays_a_broker_while_it_has_partitions() -> None:
    before = made(resources.pool("a", 1), resources.pool("b", 1))
    pools, known = there(before, resources.pool("a", 1, ("controller",)), resources.pool("b", 1))
    undone, warned = changes.reverted(pools, changes.removed(made(*pools), known), known, {0: 1})
    assert made(*undone).nodes[0].is_broker
    assert "Reverting role change of KafkaNodePool a (setting roles to [controller, broker])" in warned[0]["message"]


def test_a_pool_that_is_gone_is_missed_while_its_brokers_have_partitions() -> None:
    all_roles, brokers = resources.pool("a", 1), resources.pool("b", 2, ("broker",))
    pools, known = there(made(all_roles, brokers), all_roles)
    gone = changes.removed(made(*pools), known)
    assert changes.reverted(pools, gone, known, {0: 9}) == (pools, [])
    with pytest.raises(RefusedError) as refused:
        changes.reverted(pools, gone, known, {2: 1})
    assert "Cannot scale-down Kafka brokers [2] because they have assigned partition-replicas." in str(refused.value)


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        ({"type": "ephemeral"}, {"type": "ephemeral", "sizeLimit": "1Gi"}, True),
        ({"type": "ephemeral"}, {"type": "persistent-claim", "size": "1Gi"}, False),
        ({"type": "persistent-claim", "size": "1Gi"}, {"type": "persistent-claim", "size": "2Gi"}, True),
        (
            {"type": "jbod", "volumes": [{"type": "ephemeral", "id": 0}]},
            {"type": "jbod", "volumes": [{"type": "ephemeral", "id": 0}, {"type": "ephemeral", "id": 1}]},
            True,
        ),
        (
            {"type": "jbod", "volumes": [{"type": "ephemeral", "id": 0}, {"type": "ephemeral", "id": 1}]},
            {"type": "jbod", "volumes": [{"type": "ephemeral", "id": 1}]},
            False,
        ),
    ],
)
def test_storage_that_holds_data_stays(before: dict[str, Any], after: dict[str, Any], *, allowed: bool) -> None:
    _, known = there(made(resources.pool(storage=before)), resources.pool(storage=before))
    wanted = made(resources.pool(storage=after))
    if allowed:
        changes.check(wanted, known)
        return
    with pytest.raises(RefusedError, match="KafkaNodePool resource kafka/combined contains changes which are not"):
        changes.check(wanted, known)

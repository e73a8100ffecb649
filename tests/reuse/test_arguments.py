"""Wrong arguments of a component: one error with a line for each fault, and nothing registered."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.program import Program, ProgramFailedError

pytestmark = pytest.mark.program


def failed(folder: Path, source: str) -> list[str]:
    """Run a program, and return the lines of its error."""
    (folder / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (folder / "__main__.py").write_text(source)
    with pytest.raises(ProgramFailedError) as error:
        Program(folder).preview(stack="dev")
    assert [item.type for item in error.value.graph.resources] == ["pulumi:pulumi:Stack"]
    assert "Traceback" not in str(error.value)
    return [line.strip() for line in str(error.value).splitlines()]


def test_every_wrong_argument_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    lines = failed(
        tmp_path,
        """
from kafka_on_istio.components.kafka_cluster import KafkaCluster
pool = {"roles": ["broker"], "storage": {"type": "ephemeral", "class": "fast"}}
KafkaCluster("events", {"namespace": "kafka", "cluster": "events", "spec": {}, "version": "4.3.1", "node_pools": [pool]})
""",
    )
    assert lines[0] == "KafkaCluster events: the arguments are invalid:"
    assert lines[1].startswith("cluster: unknown argument; allowed are annotations, cluster_domain, cluster_name,")
    assert lines[2:] == [
        "node_pools[0].storage.class: unknown argument; allowed are delete_claim, size, storage_class, type",
        "node_pools[0].name is missing",
        "cluster_name is missing",
        "spec: replaces version; set only one of them",
    ]


def test_wrong_keys_and_values_of_acls_are_reported_together(tmp_path: Path) -> None:
    lines = failed(
        tmp_path,
        """
from kafka_on_istio.components.kafka_user import KafkaUser
acl = {"resource": "topics", "patternType": "prefix", "operations": ["Read"]}
KafkaUser("reader", {"namespace": "kafka", "cluster_name": "events", "user_name": "reader", "acls": [acl]})
""",
    )
    assert lines == [
        "KafkaUser reader: the arguments are invalid:",
        "acls[0].patternType: unknown argument; allowed are name, operations, pattern, resource, type",
        "acls[0].resource = 'topics': must be topic or group or cluster or transactionalId",
    ]

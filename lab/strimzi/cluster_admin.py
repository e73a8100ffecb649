"""The cluster operator's requests to its Kafka clusters."""

from __future__ import annotations

from contextlib import closing

from lab.strimzi import names
from lab.strimzi.admin import Admin, AdminError, identity
from lab.strimzi.cluster import Cluster
from lab.strimzi.rolling import Health
from lab.strimzi.secret_manifests import Certificates


class ClusterAdmin:
    """Asks clusters by the cluster operator's own certificate; a connection lasts no longer than its question."""

    def health(self, cluster: Cluster, certificates: Certificates) -> Health:
        """Return how a cluster is.

        :raises KafkaUnavailableError: if Kafka does not answer.
        """
        with closing(_admin(cluster, certificates)) as admin:
            return health(admin)

    def finalize_metadata_version(self, cluster: Cluster, certificates: Certificates) -> None:
        """Let a cluster use all that its nodes' version can do, once all of them have it.

        :raises KafkaUnavailableError: if Kafka does not answer.
        :raises AdminError: if it refuses.
        """
        with closing(_admin(cluster, certificates)) as admin:
            finalize_metadata_version(admin)


def _admin(cluster: Cluster, certificates: Certificates) -> Admin:
    host = f"{names.bootstrap_service(cluster.name)}.{cluster.namespace}.svc"
    context = identity(certificates.trusted, certificates.operators["cluster-operator"])
    return Admin(
        lambda: {
            "bootstrap_servers": f"{host}:{names.REPLICATION_PORT}",
            "security_protocol": "SSL",
            "ssl_context": context,
        }
    )


def health(admin: Admin) -> Health:
    """Return how a cluster is.

    :raises KafkaUnavailableError: if Kafka does not answer.
    """
    topics = admin.ask(lambda client: client.describe_topics())
    quorum = admin.ask(lambda client: client.describe_metadata_quorum())["topics"][0]["partitions"][0]
    partitions = [(topic["name"], partition) for topic in topics for partition in topic["partitions"]]
    hosted: dict[int, int] = {}
    for _, partition in partitions:
        for replica in partition["replica_nodes"]:
            hosted[replica] = hosted.get(replica, 0) + 1
    return Health(
        under_replicated=frozenset(
            f"{topic}-{partition['partition_index']}"
            for topic, partition in partitions
            if set(partition["isr_nodes"]) != set(partition["replica_nodes"])
        ),
        lagging=frozenset(
            voter["replica_id"]
            for voter in quorum["current_voters"]
            if voter["log_end_offset"] < quorum["high_watermark"]
        ),
        leader=quorum["leader_id"],
        hosted=hosted,
    )


def finalize_metadata_version(admin: Admin) -> None:
    """Let a cluster use all that its nodes' version can do, once all of them have it.

    :raises KafkaUnavailableError: if Kafka does not answer.
    :raises AdminError: if it refuses.
    """
    name = "metadata.version"
    feature = admin.ask(lambda client: client.describe_features())[name]
    best = feature["supported"][1]
    if feature["finalized"][1] < best:
        result = admin.ask(lambda client: client.update_features({name: best}))[name]
        if result != "OK":
            raise AdminError(name, result)

"""A small access model."""

from __future__ import annotations

from kafka_on_istio.access.model import (
    AccessModel,
    Acl,
    Authentication,
    Edge,
    Entry,
    Kafka,
    KafkaUser,
    Mesh,
    Network,
    Role,
    Workload,
)


def model(data_plane: str = "none") -> AccessModel:
    """Customer calls preference of two versions; both log, one consumer reads."""

    def workload(namespace: str, name: str, role: Role, **labels: str) -> Workload:
        return Workload(f"{namespace}/{name}", role, namespace, name, f"sa/{name}", labels, False, (), ())

    def service(name: str, version: str) -> Workload:
        return workload("app", f"{name}-{version}", Role.SERVICE, app=name, version=version)

    def call(source: str, destination: str) -> Edge:
        return Edge(source, destination, 8080, "http", Authentication.MESH, "GET", "/")

    def topic(name: str, *operations: str) -> Acl:
        return Acl("topic", name, operations)

    def user(name: str, *acls: Acl, versions: tuple[str, ...] = ("v1",)) -> KafkaUser:
        return KafkaUser(f"{name}-user", name, tuple(f"app/{name}-{version}" for version in versions), acls)

    return AccessModel(
        mesh=Mesh("cluster.local", "cluster.local", data_plane, "mesh", True, ("app", "kafka")),
        kafka=Kafka("log", "kafka", "log-kafka-bootstrap.kafka.svc.cluster.local:9092", 1, 1),
        network=Network((), (), None),
        workloads=(
            service("customer", "v1"),
            service("preference", "v1"),
            service("preference", "v2"),
            service("consumer", "v1"),
            workload("mesh", "gateway", Role.GATEWAY, istio="gateway"),
            workload("kafka", "brokers", Role.BROKERS),
        ),
        services=(),
        edges=(
            call("mesh/gateway", "app/customer-v1"),
            call("app/customer-v1", "app/preference-v1"),
            call("app/customer-v1", "app/preference-v2"),
            Edge("app/customer-v1", "kafka/brokers", 9092, "tcp", Authentication.MESH),
        ),
        entries=(Entry("/customer", "GET", "customer", "/"),),
        topics=("log-customer", "log-preference", "log-aggregated"),
        users=(
            user("customer", topic("log-customer", "Write", "Describe")),
            user("preference", topic("log-preference", "Write", "Describe"), versions=("v1", "v2")),
            user(
                "consumer",
                topic("log-customer", "Read"),
                topic("log-preference", "Read"),
                Acl("group", "consumer", ("Read",)),
                topic("log-aggregated", "Write"),
            ),
        ),
        external_hosts=(),
        infrastructure=(),
    )

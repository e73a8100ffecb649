"""A small access model, as the stack exports it."""

from __future__ import annotations

from typing import Any


def model() -> dict[str, Any]:
    """Customer calls preference of two versions; both log, one consumer reads."""

    def workload(namespace: str, name: str, **labels: str) -> dict[str, Any]:
        return {"id": f"{namespace}/{name}", "namespace": namespace, "labels": labels}

    def service(name: str, version: str) -> dict[str, Any]:
        return workload("app", f"{name}-{version}", app=name, version=version)

    def edge(source: str, destination: str, method: str | None = "GET") -> dict[str, Any]:
        path, port = ("/", 8080) if method else (None, 9092)
        return {"source": source, "destination": destination, "method": method, "path": path, "port": port}

    def topic(name: str, *operations: str) -> dict[str, Any]:
        return {"resource": "topic", "name": name, "operations": list(operations)}

    def user(name: str, *acls: dict[str, Any], versions: tuple[str, ...] = ("v1",)) -> dict[str, Any]:
        workloads = [f"app/{name}-{version}" for version in versions]
        return {"name": f"{name}-user", "service": name, "workloads": workloads, "acls": list(acls)}

    return {
        "mesh": {"dataPlane": "none"},
        "entries": [{"path": "/customer", "method": "GET", "service": "customer", "target": "/"}],
        "workloads": [
            service("customer", "v1"),
            service("preference", "v1"),
            service("preference", "v2"),
            service("consumer", "v1"),
            workload("mesh", "gateway", istio="gateway"),
            workload("kafka", "brokers"),
        ],
        "edges": [
            edge("mesh/gateway", "app/customer-v1"),
            edge("app/customer-v1", "app/preference-v1"),
            edge("app/customer-v1", "app/preference-v2"),
            edge("app/customer-v1", "kafka/brokers", None),
        ],
        "topics": ["log-customer", "log-preference", "log-aggregated"],
        "users": [
            user("customer", topic("log-customer", "Write", "Describe")),
            user("preference", topic("log-preference", "Write", "Describe"), versions=("v1", "v2")),
            user(
                "consumer",
                topic("log-customer", "Read"),
                topic("log-preference", "Read"),
                {"resource": "group", "name": "consumer", "operations": ["Read"]},
                topic("log-aggregated", "Write"),
            ),
        ],
    }

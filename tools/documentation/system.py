"""A diagram of the running system, from the access model. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kafka_on_istio.access.model import AccessModel


def diagram(model: AccessModel) -> str:
    """Return a Mermaid flowchart: who calls whom, who writes and reads which topic, who reaches which outside host."""
    arrows = dict.fromkeys((*_calls(model), *_records(model), *_hosts(model)))
    hosts = [external.host for external in model.external_hosts]
    return "\n".join(
        [
            "flowchart LR",
            "    outside([outside])",
            "    subgraph mesh[Istio mesh, default deny: only these connections are allowed]",
            "        gateway[ingress gateway]",
            *(f"        {_id(name)}[{label}]" for name, label in _labels(model)),
            "        subgraph kafka[Kafka, with a user for each service]",
            *(f"            {_id(topic)}[({topic})]" for topic in model.topics),
            "        end",
            "    end",
            *(f"    {_id(host)}([{host}])" for host in hosts),
            *(f"    {arrow}" for arrow in arrows),
        ]
    )


def _labels(model: AccessModel) -> Iterator[tuple[str, str]]:
    for service in model.services:
        versions = ", ".join(version.name for version in service.versions)
        yield service.name, f"{service.name}<br/>{versions}" if len(service.versions) > 1 else service.name


def _calls(model: AccessModel) -> Iterator[str]:
    services = {version.workload: service.name for service in model.services for version in service.versions}
    for entry in model.entries:
        yield f"outside -->|{entry.method} {entry.path}| gateway"
        yield f"gateway -->|{entry.method} {entry.target}| {_id(entry.service)}"
    for edge in model.edges:
        if edge.source in services and edge.destination in services:
            caller, called = services[edge.source], services[edge.destination]
            yield f"{_id(caller)} -->|{edge.method} {edge.path}| {_id(called)}"


def _records(model: AccessModel) -> Iterator[str]:
    for user in model.users:
        for acl in user.acls:
            service, topic = _id(user.service), _id(acl.name)
            if acl.resource == "topic" and "Write" in acl.operations:
                yield f"{service} -.->|{user.name}| {topic}"
            if acl.resource == "topic" and "Read" in acl.operations:
                yield f"{topic} -.->|{user.name}| {service}"


def _hosts(model: AccessModel) -> Iterator[str]:
    for external in model.external_hosts:
        for service in model.services:
            for version in service.versions:
                if version.workload in external.sources:
                    yield f"{_id(service.name)} -->|{version.name}| {_id(external.host)}"


def _id(name: str) -> str:
    """Return a name that Mermaid accepts for a box."""
    return re.sub(r"\W", "_", name)

"""A diagram of the running system, out of the stack's output ``accessModel``. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class _Version:
    """A version of a service of the application."""

    service: str
    name: str


def diagram(model: Mapping[str, Any]) -> str:
    """Return a Mermaid flowchart: who calls whom, who writes and reads which topic, who reaches which host outside.

    :param model: the output, as ``model.access.exported`` describes it.
    """
    versions = {
        workload["id"]: _Version(workload["labels"]["app"], workload["labels"]["version"])
        for workload in model["workloads"]
        if {"app", "version"} <= workload["labels"].keys()
    }
    services = dict.fromkeys(version.service for version in versions.values())
    arrows = dict.fromkeys((*_calls(model, versions), *_records(model), *_hosts(model, versions)))
    return "\n".join(
        [
            "flowchart LR",
            "    outside([outside])",
            "    subgraph mesh[Istio mesh, default deny: only these connections are allowed]",
            "        gateway[ingress gateway]",
            *(f"        {_id(name)}[{'<br/>'.join((name, *_several(versions, name)))}]" for name in services),
            "        subgraph kafka[Kafka, with a user for each service]",
            *(f"            {_id(topic)}[({topic})]" for topic in model["topics"]),
            "        end",
            "    end",
            *(f"    {_id(host['host'])}([{host['host']}])" for host in model["externalHosts"]),
            *(f"    {arrow}" for arrow in arrows),
        ]
    )


def _calls(model: Mapping[str, Any], versions: Mapping[str, _Version]) -> Iterator[str]:
    for entry in model["entries"]:
        yield f"outside -->|{entry['method']} {entry['path']}| gateway"
        yield f"gateway -->|{entry['method']} {entry['target']}| {_id(entry['service'])}"
    for edge in model["edges"]:
        caller, called = versions.get(edge["source"]), versions.get(edge["destination"])
        if caller and called:
            yield f"{_id(caller.service)} -->|{edge['method']} {edge['path']}| {_id(called.service)}"


def _records(model: Mapping[str, Any]) -> Iterator[str]:
    for user in model["users"]:
        for acl in user["acls"]:
            service, topic = _id(user["service"]), _id(acl["name"])
            if acl["resource"] == "topic" and "Write" in acl["operations"]:
                yield f"{service} -.->|{user['name']}| {topic}"
            if acl["resource"] == "topic" and "Read" in acl["operations"]:
                yield f"{topic} -.->|{user['name']}| {service}"


def _hosts(model: Mapping[str, Any], versions: Mapping[str, _Version]) -> Iterator[str]:
    for host in model["externalHosts"]:
        for version in (versions[source] for source in host["sources"]):
            yield f"{_id(version.service)} -->|{version.name}| {_id(host['host'])}"


def _several(versions: Mapping[str, _Version], service: str) -> Iterable[str]:
    names = [version.name for version in versions.values() if version.service == service]
    return [", ".join(names)] if len(names) > 1 else []


def _id(name: str) -> str:
    """Return what Mermaid takes as a box's name."""
    return re.sub(r"\W", "_", name)

"""What a stack holds, on lines that a reviewer can read; run as a command, it writes the golden ones anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.graph import Graph, Resource
from harness.kubernetes import generated_name
from harness.program import Program

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
STACKS = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))
EXAMPLES = sorted(path.parent.name for path in ROOT.glob("examples/*/Pulumi.yaml"))

Facts = Callable[[Mapping[str, Any]], str]


def summary(preview: Graph) -> str:
    """Return a line per resource, ``type name: where facts``, without what charts hold (it changes with them)."""
    lines = sorted(_line(item) for item in preview.resources if "helm.sh/v4:Chart$" not in item.urn)
    return "\n".join([f"{len(lines)} resources", *lines, ""])


def _line(item: Resource) -> str:
    kept = [word for word, said in (("protected", item.protect), ("kept", item.retain_on_delete)) if said]
    parts = [*_facts(item), *kept]
    return f"{item.type} {item.name}" + (f": {' '.join(parts)}" if parts else "")


def _facts(item: Resource) -> Iterator[str]:
    if not item.custom and not item.type.endswith(":Chart"):
        return
    metadata = item.inputs.get("metadata") or {}
    if isinstance(metadata.get("name"), str):
        # A generated name changes with what the object holds.
        name = "*" if generated_name(item.inputs) else metadata["name"]
        yield "/".join(filter(None, (metadata.get("namespace"), name)))
    facts = _FACTS.get(item.type.rpartition(":")[2])
    if facts:
        yield facts({**item.inputs, **(item.inputs.get("spec") or {})})


def _pairs(values: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in sorted(values.items()))


def _rules(spec: Mapping[str, Any]) -> str:
    def rule(item: Mapping[str, Any]) -> str:
        who = [name for source in item.get("from", []) for name in source["source"]["principals"]]
        what = [
            " ".join((*to.get("methods", ()), *to.get("paths", ()), *to.get("ports", ())))
            for to in (target["operation"] for target in item["to"])
        ]
        return f"{', '.join(name.partition('/ns/')[2] for name in who) or 'anyone'} -> {', '.join(what)}"

    return "; ".join(rule(item) for item in spec.get("rules", [])) or "nobody"


def _pods(spec: Mapping[str, Any]) -> str:
    pod = spec["template"]["spec"]
    images = " ".join(container["image"] for container in pod["containers"])
    spread = [constraint["topologyKey"] for constraint in pod.get("topologySpreadConstraints", [])]
    return " ".join(
        [f"{spec.get('replicas', 'scaled')} x {images}", *(f"spread over {key}" for key in spread)],
    )


def _kafka(spec: Mapping[str, Any]) -> str:
    kafka = spec["kafka"]
    facts = {
        "version": kafka["version"],
        "replication": kafka["config"]["default.replication.factor"],
        "min.insync": kafka["config"]["min.insync.replicas"],
        "rack": kafka.get("rack", {}).get("topologyKey"),
        "metrics": kafka.get("metricsConfig", {}).get("type"),
    }
    return _pairs({key: value for key, value in facts.items() if value})


def _chart(inputs: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (inputs["chart"], inputs.get("version"))))


_FACTS: dict[str, Facts] = {
    "AuthorizationPolicy": _rules,
    "Chart": _chart,
    "Deployment": _pods,
    "HorizontalPodAutoscaler": lambda spec: f"{spec['minReplicas']} to {spec['maxReplicas']}",
    "Kafka": _kafka,
    "KafkaNodePool": lambda spec: (
        f"{spec['replicas']} x {'+'.join(spec['roles'])} on {_pairs({'type': '', **spec['storage']})}"
    ),
    "KafkaTopic": lambda spec: (
        f"{spec['partitions']} partitions, {spec['replicas']} copies, {_pairs(spec.get('config', {}))}"
    ),
    "KafkaUser": lambda spec: "; ".join(
        f"{'+'.join(acl['operations'])} {acl['resource']['type']} {acl['resource']['name']}"
        for acl in spec["authorization"]["acls"]
    ),
    "Namespace": lambda inputs: _pairs(inputs["metadata"].get("labels") or {}),
    "NamespacePatch": lambda inputs: _pairs(inputs["metadata"].get("labels") or {}),
    "PeerAuthentication": lambda spec: (
        f"{spec['mtls']['mode']} "
        + _pairs({port: value["mode"] for port, value in spec.get("portLevelMtls", {}).items()})
    ).strip(),
    "PodDisruptionBudget": lambda spec: f"{spec['maxUnavailable']} may be away",
    "ResourceQuota": lambda spec: _pairs(spec["hard"]),
    "Route": lambda spec: f"{spec.get('host', 'host of the cluster')} {spec['tls']['termination']}",
    "VirtualService": lambda spec: " ".join(
        match["uri"]["exact"] for http in spec["http"] for match in http.get("match", [])
    ),
}


def main() -> None:
    """Write the summary of every stack and every example."""
    previews = {stack: Program(ROOT).preview(stack=stack) for stack in STACKS}
    previews |= {f"example-{name}": Program(ROOT / "examples" / name).preview() for name in EXAMPLES}
    for name, preview in previews.items():
        (GOLDEN / f"{name}.txt").write_text(summary(preview), encoding="utf-8")


if __name__ == "__main__":
    main()

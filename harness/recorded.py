"""Graphs in the formats of the Pulumi CLI: a stack's state, and ``preview --json``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from harness import kubernetes
from harness.comparison import is_opaque, made
from harness.fields import differences, show
from harness.graph import Graph, Resource
from harness.urn import STACK_TYPE, is_provider
from harness.values import alike, from_plain, to_plain

_NAMES: Final = {
    "type": "type",
    "custom": "custom",
    "external": "external",
    "id": "id",
    "parent": "parent",
    "protect": "protect",
    "retain_on_delete": "retainOnDelete",
    "deleted_with": "deletedWith",
    "custom_timeouts": "customTimeouts",
    "property_dependencies": "propertyDependencies",
    "dependencies": "dependencies",
    "aliases": "aliases",
    "additional_secret_outputs": "additionalSecretOutputs",
}
"""Fields of a resource by their names in the CLI's JSON (``apitype.ResourceV3``), where both have the same values."""
_COMPARED: Final = (
    "parent",
    "custom",
    "protect",
    "retain_on_delete",
    "deleted_with",
    "custom_timeouts",
    "additional_secret_outputs",
)


def from_deployment(document: Mapping[str, Any]) -> Graph:
    """Return the graph of a state: what ``pulumi stack export`` prints, or a file of a backend of files.

    The value of an encrypted secret is unknown.
    """
    deployment = document.get("deployment") or document["checkpoint"]["latest"]
    return _graph(item for item in deployment.get("resources") or () if not item.get("delete"))


def to_deployment(graph: Graph) -> dict[str, Any]:
    """Return a graph as a state, without the values of its secrets."""
    resources = []
    for item in graph.resources:
        fields = {theirs: getattr(item, ours) for ours, theirs in _NAMES.items()}
        values = {"inputs": _encrypted(item.inputs), "outputs": _encrypted(item.outputs)}
        provider = {"provider": f"{item.provider}::"} if item.provider else {}
        given = {key: value for key, value in fields.items() if value or key == "custom"}
        resources.append({"urn": item.urn, **given, **provider, **values})
    return {"version": 3, "deployment": {"resources": resources}}


def _encrypted(value: Any) -> Any:
    return to_plain(value, lambda _: {"ciphertext": ""})


def from_preview(document: Mapping[str, Any]) -> Graph:
    """Return the graph of ``pulumi preview --json``: the resources after the update."""
    steps = document.get("steps") or ()
    return _graph(step["newState"] for step in steps if step.get("newState"))


def _graph(documents: Iterable[Mapping[str, Any]]) -> Graph:
    found = sorted(map(_resource, documents), key=lambda item: item.urn)
    outputs = next((item.outputs for item in found if item.type == STACK_TYPE), {})
    return Graph(tuple(item for item in found if not is_provider(item.type) or not _is_default(item)), outputs)


def _resource(document: Mapping[str, Any]) -> Resource:
    fields = {ours: document[theirs] for ours, theirs in _NAMES.items() if document.get(theirs) is not None}
    for name in ("dependencies", "aliases", "additional_secret_outputs"):
        fields[name] = tuple(sorted(fields.get(name, ())))
    needed = fields.get("property_dependencies", {})
    fields["property_dependencies"] = {key: tuple(sorted(urns or ())) for key, urns in needed.items() if urns}
    provider = document.get("provider", "").rpartition("::")[0]
    return Resource(
        urn=document["urn"],
        inputs=from_plain(document.get("inputs") or {}),
        outputs=from_plain(document.get("outputs") or {}),
        provider="" if "::default" in provider else provider,
        **fields,
    )


def _is_default(item: Resource) -> bool:
    return item.name.startswith("default")


def unlike(ours: Graph, theirs: Graph) -> list[str]:
    """Return a line for each difference of two graphs of one stack, such as the harness's and the engine's.

    What is inside remote components is left out, for the harness does not know it, and so are their inputs, which the
    engine does not record, and names that were generated, which differ each time.
    """
    mine, others = made(ours), made(theirs)
    names = dict(_generated(mine, others))
    lines = [f"only the first has {urn}" for urn in sorted(mine.keys() - others.keys())]
    lines += [f"only the second has {urn}" for urn in sorted(others.keys() - mine.keys())]
    for urn in sorted(mine.keys() & others.keys()):
        lines += [f"{mine[urn].title}: {line}" for line in _unlike(mine[urn], others[urn], names)]
    return lines


def _generated(mine: Mapping[str, Resource], others: Mapping[str, Resource]) -> Iterator[tuple[str, str]]:
    for urn in mine.keys() & others.keys():
        one, other = kubernetes.generated_name(mine[urn].inputs), kubernetes.generated_name(others[urn].inputs)
        if one and other:
            yield one, other


def _unlike(one: Resource, other: Resource, names: Mapping[str, str]) -> Iterator[str]:
    for name in _COMPARED:
        if getattr(one, name) != getattr(other, name):
            yield f"{name}: {show(_plain(getattr(one, name)))} => {show(_plain(getattr(other, name)))}"
    inside = [urn for urn in other.needs() if ":Chart$" not in urn]
    if set(one.needs()) != set(inside):
        missing, more = sorted(set(inside) - set(one.needs())), sorted(set(one.needs()) - set(inside))
        yield f"dependencies: only the first {show(more)}, only the second {show(missing)}"
    inputs = kubernetes.renamed(one.inputs, names)
    if not is_opaque(other) and not alike(inputs, other.inputs):
        yield from differences(inputs, other.inputs)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value

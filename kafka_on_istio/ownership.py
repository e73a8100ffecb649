"""Which stack owns a namespace or a cluster-wide object.

Server-side apply silently takes over an object of another owner, and destroying the stack then deletes it. Each of
these objects therefore has an annotation with the name of its stack. An object without it is left alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from pydantic.alias_generators import to_camel

from kafka_on_istio.charts.facts import cluster_wide
from kafka_on_istio.settings.settings import NAMESPACE, Settings

ANNOTATION = "kafka-on-istio/stack"
"""Key of the annotation whose value is the owner, ``organization/project/stack``."""

KINDS = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "MutatingWebhookConfiguration",
        "PriorityClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)
"""Kinds of objects without a namespace that charts make."""


def owned(thing: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Return an object ``{apiVersion, kind, metadata, ...}`` with the annotation of its owner."""
    metadata = thing["metadata"]
    annotations = {**(metadata.get("annotations") or {}), ANNOTATION: owner}
    return {**thing, "metadata": {**metadata, "annotations": annotations}}


def faults(settings: Settings, owner: str, owners: Mapping[str, str | None]) -> Iterator[str]:
    """Yield a line for each object that is not as the settings say.

    ``owners`` are all namespaces and objects of KINDS in the cluster, as ``Kind/name``, each with its owner; None if it
    has none.
    """
    foreign = {name: found for name, found in owners.items() if found != owner}
    yield from _taken(settings, foreign)
    yield from _not_of_others(settings, owner, owners)
    found = [name for name in cluster_wide(settings) if name in foreign and not _adopted(settings, name)]
    if found:
        yield (
            f"{NAMESPACE}:adopt: these exist and are not of this stack: {_named(found, foreign)}; "
            "use layer application to build on what is installed, or list in adopt what this stack is to take over"
        )


def _taken(settings: Settings, foreign: Mapping[str, str | None]) -> Iterator[str]:
    for name in settings.created_namespaces:
        if f"Namespace/{name}" in foreign:
            yield (
                f"{_setting(settings, name)} = {name!r}: the namespace exists and is not of this stack"
                f"{_of(foreign[f'Namespace/{name}'])}; choose another name, or list it in existingNamespaces"
            )


def _not_of_others(settings: Settings, owner: str, owners: Mapping[str, str | None]) -> Iterator[str]:
    for name in settings.existing_namespaces:
        if owners.get(f"Namespace/{name}") == owner:
            yield (
                f"{NAMESPACE}:existingNamespaces: this stack made the namespace {name!r}, and would now delete it with "
                "all that is in it; remove it from the list"
            )
        if f"Namespace/{name}" not in owners:
            yield (
                f"{NAMESPACE}:existingNamespaces: there is no namespace {name!r}; create it, "
                "or remove it from the list to have this stack create it"
            )


def _setting(settings: Settings, namespace: str) -> str:
    fields = ("istio_namespace", "kafka_namespace", "application_namespace", "strimzi_namespace")
    return f"{NAMESPACE}:{to_camel(next(field for field in fields if getattr(settings, field) == namespace))}"


def _adopted(settings: Settings, name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in settings.adopt)


def _named(found: Iterable[str], owners: Mapping[str, str | None]) -> str:
    return ", ".join(f"{name}{_of(owners[name])}" for name in found)


def _of(owner: str | None) -> str:
    return f" (it is of {owner})" if owner else ""

"""Helm charts rendered into objects, in the order in which they are to be made."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab.engine.kubernetes.client import Capabilities
from lab.engine.kubernetes.objects import SKIP_AWAIT, group_of, is_builtin, is_namespaced, type_token
from lab.engine.provider import Child, Construction, ProviderError
from lab.engine.values import Asset, Properties, has_unknown, secret, walk

CHART: Final = "kubernetes:helm.sh/v4:Chart"

_KNOWN: Final = frozenset(
    {
        "chart",
        "name",
        "namespace",
        "repositoryOpts",
        "resourcePrefix",
        "skipAwait",
        "skipCrds",
        "valueYamlFiles",
        "values",
        "version",
    }
)
_REPOSITORY_OPTIONS: Final = frozenset({"repo", "username", "password"})
_HOOK: Final = "helm.sh/hook"

_WAVES: Final[tuple[frozenset[str], ...]] = (
    frozenset(
        {
            "Namespace",
            "CustomResourceDefinition",
            "PriorityClass",
            "StorageClass",
            "RuntimeClass",
            "IngressClass",
        }
    ),
    frozenset(
        {
            "ClusterRole",
            "ClusterRoleBinding",
            "ConfigMap",
            "LimitRange",
            "NetworkPolicy",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "PodDisruptionBudget",
            "ResourceQuota",
            "Role",
            "RoleBinding",
            "Secret",
            "ServiceAccount",
        }
    ),
)
_WEBHOOK_GROUPS: Final = frozenset({"admissionregistration.k8s.io", "apiregistration.k8s.io"})


@dataclass(frozen=True)
class Source:
    """A chart and how it is to be rendered.

    ``path`` is where it is on disk (None: it is fetched), ``release`` the release's name, ``prefix`` what
    the names of its resources start with.
    """

    chart: str
    version: str | None
    repository: Mapping[str, str]
    path: Path | None
    release: str
    prefix: str

    def __str__(self) -> str:
        """Name the chart for a message."""
        origin = f" from {self.repository['repo']}" if self.repository.get("repo") else ""
        return f"chart {self.chart}{f' {self.version}' if self.version else ''}{origin}"


def source(name: str, inputs: Properties, directory: Path) -> Source:
    """Return which chart the inputs of the Chart resource ``name`` mean.

    :raises ProviderError: naming every input that is not supported.
    """
    repository = inputs.get("repositoryOpts") or {}
    unsupported = [key for key, value in inputs.items() if key not in _KNOWN and value not in (None, False)]
    unsupported += [f"repositoryOpts.{key}" for key in repository if key not in _REPOSITORY_OPTIONS]
    if unsupported:
        raise ProviderError(
            f"{CHART} {name}: {', '.join(sorted(unsupported))} not supported; this engine has"
            f" {', '.join(sorted(_KNOWN))} (repositoryOpts: {', '.join(sorted(_REPOSITORY_OPTIONS))})"
        )
    chart = inputs.get("chart")
    chart = chart if isinstance(chart, str) else "(known after the update)"
    on_disk = directory / Path(chart).expanduser()
    version, release, prefix = inputs.get("version"), inputs.get("name"), inputs.get("resourcePrefix")
    return Source(
        chart,
        version if isinstance(version, str) else None,
        repository if isinstance(repository, Mapping) else {},
        on_disk if not repository.get("repo") and on_disk.exists() else None,
        release if isinstance(release, str) and release else name,
        prefix if isinstance(prefix, str) else name,
    )


def obstacle(chart: Source, inputs: Properties, *, offline: bool) -> str | None:
    """Return why the chart cannot be rendered in this run, or None.

    :raises ProviderError: if it could never be.
    """
    if has_unknown(inputs):
        return f"{chart}: some of its inputs are known only after the update"
    if chart.path is not None:
        return None
    if offline:
        return f"{chart} is not on disk, and an offline run fetches nothing"
    if not chart.repository.get("repo") and "://" not in chart.chart:
        raise ProviderError(
            f"{chart}: no such file or folder; give a path that exists, an oci:// reference, or repositoryOpts.repo"
        )
    return None


def construct(
    chart: Source,
    inputs: Properties,
    namespace: str,
    directory: Path,
    capabilities: Capabilities | None,
) -> Construction:
    """Render a chart and return its objects as children.

    :param namespace: the release's.
    :param directory: the program's, which the paths of ``valueYamlFiles`` are relative to.
    :param capabilities: what the cluster is; None: what the Helm library takes for usual.
    :raises ProviderError: if the chart cannot be fetched or rendered.
    """
    from helm_python import HelmError  # noqa: PLC0415 the library is large, and most runs have no chart

    try:
        values = _values(chart, inputs, directory)
        if chart.path is not None:
            texts = _render(chart.path, chart, values, namespace, capabilities, crds=not inputs.get("skipCrds"))
        else:
            with tempfile.TemporaryDirectory() as folder:
                fetched = _fetch(chart, Path(folder))
                texts = _render(fetched, chart, values, namespace, capabilities, crds=not inputs.get("skipCrds"))
    except HelmError as error:
        raise ProviderError(f"{chart}: {str(error).strip()}") from None
    things = parse(str(chart), texts)
    return Construction(waves(things, chart.prefix, namespace, skip_await=bool(inputs.get("skipAwait"))))


def _values(chart: Source, inputs: Properties, directory: Path) -> Properties:
    import yaml  # noqa: PLC0415

    merged: Properties = {}
    for asset in inputs.get("valueYamlFiles") or ():
        fields = asset.fields if isinstance(asset, Asset) else {}
        where = fields.get("path") or "valueYamlFiles"
        if not fields.get("text") and not fields.get("path"):
            raise ProviderError(f"{chart}: valueYamlFiles must be file or string assets")
        try:
            text = fields.get("text") or (directory / fields["path"]).read_text()
            layer = yaml.load(text, yaml.CSafeLoader) or {}
        except (OSError, yaml.YAMLError) as error:
            raise ProviderError(f"{chart}: values file {where} cannot be read: {error}") from None
        if not isinstance(layer, dict):
            raise ProviderError(f"{chart}: values file {where} must be a mapping")
        merged = _merge(merged, layer)
    values = inputs.get("values") or {}
    if any(isinstance(item, Asset) for item in walk(values)):
        raise ProviderError(f"{chart}: assets within values are not supported; read the file in the program")
    result: Properties = _merge(merged, values)
    return result


def _merge(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        return {**below, **{key: _merge(below.get(key), value) for key, value in above.items()}}
    return above


def _fetch(chart: Source, folder: Path) -> Path:
    import helm_python  # noqa: PLC0415

    helm_python.pull(
        chart.chart,
        destination=folder,
        version=chart.version,
        repo_url=chart.repository.get("repo"),
        username=chart.repository.get("username"),
        password=chart.repository.get("password"),
    )
    found = sorted(folder.glob("*.tgz"))
    if len(found) != 1:
        raise ProviderError(f"{chart}: fetching it brought {len(found)} archives instead of one")
    return found[0]


def _render(
    path: Path,
    chart: Source,
    values: Properties,
    namespace: str,
    capabilities: Capabilities | None,
    *,
    crds: bool,
) -> list[str]:
    """Return the texts of a chart's manifests, CRDs first."""
    import helm_python  # noqa: PLC0415
    from helm_python import _native  # noqa: PLC0415

    options: dict[str, Any] = {"name": chart.release, "namespace": namespace}
    if capabilities is not None:
        options |= {"kube_version": capabilities.version, "api_versions": capabilities.api_versions}
    with helm_python.Chart.load(path) as loaded:
        definitions = [item["data"] for item in loaded.crds] if crds else []
        # Chart.render has no parameter for the cluster's version and kinds; the call below it takes them.
        rendered: dict[str, str] = json.loads(
            _native.call_string("helm_render", loaded._raw(), json.dumps(values), json.dumps(options))
        )
    return definitions + [text for name, text in rendered.items() if not name.endswith("NOTES.txt")]


def parse(subject: str, texts: Iterable[str]) -> list[Properties]:
    """Return the objects of YAML texts, lists taken apart, without Helm's hooks.

    :raises ProviderError: if a text is no YAML or holds something that is no object.
    """
    import yaml  # noqa: PLC0415

    found: list[Properties] = []
    for text in texts:
        if not text.strip():
            continue
        try:
            documents = list(yaml.load_all(text, yaml.CSafeLoader))
        except yaml.YAMLError as error:
            raise ProviderError(f"{subject} renders to YAML that cannot be read: {error}") from None
        for document in documents:
            found += _flatten(subject, document)
    return found


def _flatten(subject: str, document: Any) -> list[Properties]:
    if not document:
        return []
    if not isinstance(document, dict) or not document.get("apiVersion") or not document.get("kind"):
        raise ProviderError(f"{subject} renders to something without apiVersion and kind")
    if document["kind"].endswith("List") and isinstance(document.get("items"), list):
        return [thing for item in document["items"] for thing in _flatten(subject, item)]
    metadata = document.get("metadata") or {}
    if not metadata.get("name"):
        raise ProviderError(f"{subject} renders to a {document['kind']} without metadata.name")
    hook = (metadata.get("annotations") or {}).get(_HOOK)
    return [] if hook and hook != "crd-install" else [_plain(document)]


def _plain(value: Any) -> Any:
    """Return the value as JSON would carry it: YAML knows dates and keys that are no strings."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else value.isoformat()


def waves(things: Sequence[Properties], prefix: str, namespace: str, *, skip_await: bool = False) -> list[list[Child]]:
    """Return a chart's objects as children in Helm's order of installing, which this groups.

    The groups: what others live in or are defined by; accounts, settings and rights; services, workloads and
    all else of Kubernetes' own; custom resources; webhooks. Children are named ``prefix:namespace/name``, as
    pulumi-kubernetes does since 4.0.
    """
    cluster_kinds = {
        (item["spec"]["group"], item["spec"]["names"]["kind"])
        for item in things
        if item["kind"] == "CustomResourceDefinition" and item["spec"].get("scope") == "Cluster"
    }
    grouped: list[list[Child]] = [[] for _ in range(len(_WAVES) + 3)]
    for thing in things:
        api_version, kind = thing["apiVersion"], thing["kind"]
        group = group_of(api_version)
        metadata = dict(thing["metadata"])
        if not is_namespaced(api_version, kind) or (group, kind) in cluster_kinds:
            metadata.pop("namespace", None)
        elif not metadata.get("namespace"):
            metadata["namespace"] = namespace
        if skip_await:
            metadata["annotations"] = {**(metadata.get("annotations") or {}), SKIP_AWAIT: "true"}
        inputs = {**thing, "metadata": metadata}
        if kind == "Secret" and not group:
            inputs |= {key: secret(thing[key]) for key in ("data", "stringData") if key in thing}
        own = f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else metadata["name"]
        child = Child(type_token(api_version, kind), f"{prefix}:{own}" if prefix else own, inputs)
        grouped[_wave(group, kind)].append(child)
    return [wave for wave in grouped if wave]


def _wave(group: str, kind: str) -> int:
    if group in _WEBHOOK_GROUPS:
        return len(_WAVES) + 2
    if not is_builtin(group):
        return len(_WAVES) + 1
    return next((index for index, kinds in enumerate(_WAVES) if kind in kinds), len(_WAVES))

"""A Helm chart and where it comes from."""

from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.helm.v4 import Chart

from kafka_on_istio.charts.stored import stored
from kafka_on_istio.charts.values import Release, releases
from kafka_on_istio.ownership import KINDS, owned
from kafka_on_istio.settings.settings import Settings


class ChartSource(TypedDict):
    """A Helm chart and the values to render it with."""

    chart: pulumi.Input[str]
    """Name in the repository, OCI reference or local path."""
    repository: NotRequired[pulumi.Input[str]]
    """URL of the chart repository; not set for OCI references and local paths."""
    version: NotRequired[pulumi.Input[str]]
    """Version or range of versions; not set for local paths."""
    values: NotRequired[pulumi.Input[dict[str, Any]]]
    """Values that override the chart's own."""


def chart_sources(settings: Settings) -> dict[str, ChartSource]:
    """Return the charts that a stack installs, by their keys in the setting ``chartValues``."""
    return {release.key: _source(release) for release in releases(settings)}


def _source(release: Release) -> ChartSource:
    source: ChartSource = {"chart": release.chart, "values": {**release.values}}
    if release.repository:
        source["repository"] = release.repository
    if release.version:
        source["version"] = release.version
    return source


def stack_owner() -> str:
    """Return the name of this stack as an owner: ``organization/project/stack``."""
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"


def _as_stored_and_owned(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
    """Change an object of a chart that has no namespace to what the API server stores, with the stack as its owner.

    Istio's CRDs ask Helm to keep them, which the provider maps to ``retain_on_delete``. A stack deletes what it
    creates: to the next stack, retained CRDs would have another owner.
    """
    props = args.props
    if props.get("kind") not in KINDS or "metadata" not in props:
        return None
    opts = args.opts
    metadata: Any = props["metadata"]
    if (metadata.get("annotations") or {}).get("helm.sh/resource-policy") == "keep":
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(retain_on_delete=False))
    return pulumi.ResourceTransformResult(props=owned(stored(props), stack_owner()), opts=opts)


def install(
    name: str,
    source: ChartSource,
    *,
    release: pulumi.Input[str],
    namespace: pulumi.Input[str],
    wait: bool,
    opts: pulumi.ResourceOptions,
) -> Chart:
    """Install a chart as release ``release``; without ``wait`` nothing waits for its objects to be ready."""
    repository, version = source.get("repository"), source.get("version")
    return Chart(
        name,
        chart=source["chart"],
        name=release,
        namespace=namespace,
        repository_opts={"repo": repository} if repository else None,
        version=version or None,
        values=source.get("values", {}),
        skip_await=not wait,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(transforms=[_as_stored_and_owned])),
    )

"""Traces, metrics and Kiali."""

from typing import NotRequired, Self, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_random import RandomPassword

from kafka_on_istio import names
from kafka_on_istio.settings.settings import Settings

from .chart import ChartSource, chart_sources, install
from .manifest import custom_resource, timeouts
from .validation import check


class ObservabilityArgs(TypedDict):
    """Arguments of Observability."""

    namespace: pulumi.Input[str]
    """Namespace of the control plane and the tools."""
    tracing_provider: pulumi.Input[str]
    """Name of the tracing provider in the mesh configuration."""
    sampling: pulumi.Input[int]
    """Percentage of requests that are traced."""
    otlp_endpoint: pulumi.Input[str]
    """URL that receives traces by OTLP over gRPC."""
    jaeger: NotRequired[ChartSource]
    """Jaeger's chart; not installed if not set."""
    jaeger_name: pulumi.Input[str]
    """Release name of Jaeger."""
    jaeger_url: pulumi.Input[str]
    """URL of Jaeger inside the cluster."""
    prometheus: NotRequired[ChartSource]
    """Prometheus' chart; not installed if not set."""
    prometheus_url: pulumi.Input[str]
    """URL of Prometheus inside the cluster."""
    kiali: NotRequired[ChartSource]
    """Kiali's chart; not installed if not set."""
    kiali_signing_key: NotRequired[str]
    """Name of a Secret to create with the key that signs Kiali's logins; Kiali's values refer to its key ``key``."""
    kiali_url: pulumi.Input[str]
    """URL of Kiali inside the cluster."""
    wait: NotRequired[bool]
    """Whether to wait until the tools are ready; true by default."""
    timeout: NotRequired[str]
    """How long to wait for an object of a chart, as a Go duration; ``5m`` by default."""


class Observability(pulumi.ComponentResource):
    """Jaeger, Prometheus and Kiali, each if set, and the mesh's telemetry."""

    otlp_endpoint: pulumi.Output[str]
    """URL that receives traces by OTLP over gRPC."""
    jaeger_url: pulumi.Output[str]
    """URL of Jaeger inside the cluster."""
    prometheus_url: pulumi.Output[str]
    """URL of Prometheus inside the cluster."""
    kiali_url: pulumi.Output[str]
    """URL of Kiali inside the cluster."""

    def __init__(self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(f"Observability {name}", args, ObservabilityArgs)
        super().__init__("kafka-on-istio:index:Observability", name, dict(args), opts)

        def chart(
            suffix: str, source: ChartSource, release: pulumi.Input[str], *needs: pulumi.Resource
        ) -> pulumi.Resource:
            return install(
                f"{name}-{suffix}",
                source,
                release=release,
                namespace=args["namespace"],
                wait=args.get("wait", True),
                opts=pulumi.ResourceOptions(
                    parent=self, depends_on=list(needs), custom_timeouts=timeouts(args.get("timeout"))
                ),
            )

        sources = []
        if "jaeger" in args:
            sources.append(chart("jaeger", args["jaeger"], args["jaeger_name"]))
        if "prometheus" in args:
            sources.append(chart("prometheus", args["prometheus"], names.PROMETHEUS))
        if "kiali" in args:
            if "kiali_signing_key" in args:
                sources.append(self._signing_key(name, args["namespace"], args["kiali_signing_key"]))
            chart("kiali", args["kiali"], names.KIALI, *sources)
        custom_resource(
            f"{name}-telemetry",
            {
                "apiVersion": "telemetry.istio.io/v1",
                "kind": "Telemetry",
                "metadata": {"name": "mesh", "namespace": args["namespace"]},
                "spec": {
                    "tracing": [
                        {
                            "providers": [{"name": args["tracing_provider"]}],
                            "randomSamplingPercentage": args["sampling"],
                        }
                    ]
                },
            },
            opts=pulumi.ResourceOptions(parent=self),
        )

        self.otlp_endpoint = pulumi.Output.from_input(args["otlp_endpoint"])
        self.jaeger_url = pulumi.Output.from_input(args["jaeger_url"])
        self.prometheus_url = pulumi.Output.from_input(args["prometheus_url"])
        self.kiali_url = pulumi.Output.from_input(args["kiali_url"])
        self.register_outputs(
            {
                "otlpEndpoint": self.otlp_endpoint,
                "jaegerUrl": self.jaeger_url,
                "prometheusUrl": self.prometheus_url,
                "kialiUrl": self.kiali_url,
            }
        )

    @classmethod
    def from_settings(cls, settings: Settings, opts: pulumi.ResourceOptions) -> Self:
        """Create the tools that are enabled."""
        args: ObservabilityArgs = {
            "namespace": settings.istio_namespace,
            "tracing_provider": names.TRACING_PROVIDER,
            "sampling": settings.tracing_sampling,
            "otlp_endpoint": names.otlp_endpoint(settings),
            "jaeger_name": settings.otlp_service,
            "jaeger_url": names.jaeger_url(settings),
            "prometheus_url": names.prometheus_url(settings),
            "kiali_url": names.kiali_url(settings),
            "wait": settings.wait_for_ready,
            "timeout": settings.timeouts.chart,
        }
        charts = chart_sources(settings)
        if "jaeger" in charts:
            args["jaeger"] = charts["jaeger"]
        if "prometheus" in charts:
            args["prometheus"] = charts["prometheus"]
        if "kiali" in charts:
            args["kiali"] = charts["kiali"]
            args["kiali_signing_key"] = names.KIALI_SIGNING_KEY
        return cls("observability", args, opts)

    def _signing_key(self, name: str, namespace: pulumi.Input[str], secret: str) -> Secret:
        """Create the key: 32 characters, one of the three lengths that Kiali accepts (16, 24, 32)."""
        key = RandomPassword(
            f"{name}-kiali-signing-key", length=32, special=False, opts=pulumi.ResourceOptions(parent=self)
        )
        return Secret(
            f"{name}-kiali-signing-key-secret",
            metadata={"name": secret, "namespace": namespace},
            string_data={names.KIALI_SIGNING_KEY_KEY: key.result},
            opts=pulumi.ResourceOptions(parent=self),
        )

"""Traces, metrics and the picture of the mesh."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_random import RandomPassword

from components.chart import ChartSource, install
from components.manifest import custom_resource, timeouts
from model import names


class ObservabilityArgs(TypedDict):
    """What Observability needs."""

    namespace: pulumi.Input[str]
    """Namespace of the control plane, where the tools go."""
    tracing_provider: pulumi.Input[str]
    """Name of the tracing provider in the mesh configuration."""
    sampling: pulumi.Input[int]
    """Percentage of requests that are traced."""
    otlp_endpoint: pulumi.Input[str]
    """URL that takes traces by OTLP over gRPC."""
    jaeger: NotRequired[ChartSource]
    """Jaeger's chart; left out, it is not installed."""
    jaeger_name: pulumi.Input[str]
    """Release name of Jaeger."""
    jaeger_url: pulumi.Input[str]
    """URL of Jaeger inside the cluster."""
    prometheus: NotRequired[ChartSource]
    """Prometheus' chart; left out, it is not installed."""
    prometheus_url: pulumi.Input[str]
    """URL of Prometheus inside the cluster."""
    kiali: NotRequired[ChartSource]
    """Kiali's chart; left out, it is not installed."""
    kiali_signing_key: NotRequired[str]
    """Name of the Secret to make with the key that signs Kiali's logins; Kiali's values refer to its key ``key``."""
    kiali_url: pulumi.Input[str]
    """URL of Kiali inside the cluster."""
    wait: NotRequired[bool]
    """Whether to wait until the tools are ready; true by default."""
    timeout: NotRequired[str]
    """How long to wait for an object of a chart, as a Go duration; ``5m`` by default."""


class Observability(pulumi.ComponentResource):
    """Jaeger, Prometheus and Kiali, each if asked for, and the mesh's telemetry wired to them."""

    otlp_endpoint: pulumi.Output[str]
    """URL that takes traces by OTLP over gRPC."""
    jaeger_url: pulumi.Output[str]
    """URL of Jaeger inside the cluster."""
    prometheus_url: pulumi.Output[str]
    """URL of Prometheus inside the cluster."""
    kiali_url: pulumi.Output[str]
    """URL of Kiali inside the cluster."""

    def __init__(self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
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

    def _signing_key(self, name: str, namespace: pulumi.Input[str], secret: str) -> Secret:
        """Make the key once: 32 characters, one of the three lengths that Kiali takes (16, 24, 32)."""
        key = RandomPassword(
            f"{name}-kiali-signing-key", length=32, special=False, opts=pulumi.ResourceOptions(parent=self)
        )
        return Secret(
            f"{name}-kiali-signing-key-secret",
            metadata={"name": secret, "namespace": namespace},
            string_data={names.KIALI_SIGNING_KEY_KEY: key.result},
            opts=pulumi.ResourceOptions(parent=self),
        )

"""Strimzi's cluster operator."""

from typing import NotRequired, Self, TypedDict

import pulumi

from kafka_on_istio import names
from kafka_on_istio.settings.settings import Settings

from .chart import ChartSource, chart_sources, install
from .manifest import available, timeouts
from .validation import check


class StrimziOperatorArgs(TypedDict):
    """Arguments of a StrimziOperator."""

    namespace: pulumi.Input[str]
    """Namespace of the operator, which must exist."""
    chart: ChartSource
    """The operator's chart, with the namespaces to watch among its values."""
    wait: NotRequired[bool]
    """Whether to wait until the operator is ready; true by default."""
    timeout: NotRequired[str]
    """How long to wait for an object of the chart, as a Go duration; ``5m`` by default."""


class StrimziOperator(pulumi.ComponentResource):
    """Strimzi's CRDs and its cluster operator."""

    namespace: pulumi.Output[str]
    """Namespace of the operator."""

    def __init__(self, name: str, args: StrimziOperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(f"StrimziOperator {name}", args, StrimziOperatorArgs)
        super().__init__("kafka-on-istio:index:StrimziOperator", name, dict(args), opts)
        chart = install(
            f"{name}-chart",
            args["chart"],
            release=names.STRIMZI_RELEASE,
            namespace=args["namespace"],
            wait=args.get("wait", True),
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=timeouts(args.get("timeout"))),
        )
        self.namespace = available(args["namespace"], chart)
        self.register_outputs({"namespace": self.namespace})

    @classmethod
    def from_settings(cls, settings: Settings, opts: pulumi.ResourceOptions) -> Self:
        """Create the stack's operator."""
        return cls(
            "strimzi",
            {
                "namespace": settings.strimzi_namespace,
                "chart": chart_sources(settings)["strimzi"],
                "wait": settings.wait_for_ready,
                "timeout": settings.timeouts.chart,
            },
            opts,
        )

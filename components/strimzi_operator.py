"""Strimzi's cluster operator."""

from typing import NotRequired, TypedDict

import pulumi

from components.chart import ChartSource, install
from components.manifest import made, timeouts
from model import names


class StrimziOperatorArgs(TypedDict):
    """What a StrimziOperator needs."""

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
        super().__init__("kafka-on-istio:index:StrimziOperator", name, dict(args), opts)
        chart = install(
            f"{name}-chart",
            args["chart"],
            release=names.STRIMZI_RELEASE,
            namespace=args["namespace"],
            wait=args.get("wait", True),
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=timeouts(args.get("timeout"))),
        )
        self.namespace = made(args["namespace"], chart)
        self.register_outputs({"namespace": self.namespace})

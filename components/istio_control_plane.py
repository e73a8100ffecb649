"""Istio's control plane and its way in."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Namespace

from components.chart import ChartSource, install
from components.manifest import timeouts


class IstioControlPlaneArgs(TypedDict):
    """What an IstioControlPlane needs."""

    namespace: str
    """Namespace of the control plane, which is made."""
    base: ChartSource
    """Istio's chart ``base``: the CRDs."""
    istiod: ChartSource
    """Istio's chart ``istiod``: certificates, configuration, injection."""
    cni: NotRequired[ChartSource]
    """Istio's chart ``cni``; left out, pods set up their own network."""
    gateway: NotRequired[ChartSource]
    """Istio's chart ``gateway``; left out, there is no way in."""
    gateway_name: str
    """Release name of the gateway, which names its Service too."""
    gateway_principal: pulumi.Input[str]
    """Identity of the gateway in the mesh."""
    trust_domain: pulumi.Input[str]
    """First part of every identity in the mesh."""
    wait: bool
    """Whether to wait until the control plane is ready."""
    timeout: str
    """How long to wait for an object of a chart, as a Go duration."""


class IstioControlPlane(pulumi.ComponentResource):
    """Istio by its own charts: CRDs, CNI where asked for, istiod, then the ingress gateway.

    ``ready`` is what everything injected, and every Istio resource, depends on.
    """

    namespace: pulumi.Output[str]
    """Namespace of the control plane."""
    trust_domain: pulumi.Output[str]
    """First part of every identity in the mesh."""
    gateway_principal: pulumi.Output[str]
    """Identity of the ingress gateway."""

    def __init__(
        self, name: str, args: IstioControlPlaneArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kafka-on-istio:index:IstioControlPlane", name, dict(args), opts)

        def chart(suffix: str, source: ChartSource, release: str, needs: pulumi.Resource) -> pulumi.Resource:
            return install(
                f"{name}-{suffix}",
                source,
                release=release,
                namespace=args["namespace"],
                wait=args["wait"],
                opts=pulumi.ResourceOptions(
                    parent=self, depends_on=[needs], custom_timeouts=timeouts(args["timeout"])
                ),
            )

        namespace = Namespace(
            f"{name}-namespace",
            metadata={"name": args["namespace"]},
            opts=pulumi.ResourceOptions(parent=self),
        )
        network = chart("base", args["base"], "istio-base", namespace)
        if "cni" in args:
            network = chart("cni", args["cni"], "istio-cni", network)
        self.ready = chart("istiod", args["istiod"], "istiod", network)
        if "gateway" in args:
            chart("gateway", args["gateway"], args["gateway_name"], self.ready)

        self.namespace = pulumi.Output.from_input(args["namespace"])
        self.trust_domain = pulumi.Output.from_input(args["trust_domain"])
        self.gateway_principal = pulumi.Output.from_input(args["gateway_principal"])
        self.register_outputs(
            {
                "namespace": self.namespace,
                "trustDomain": self.trust_domain,
                "gatewayPrincipal": self.gateway_principal,
            }
        )

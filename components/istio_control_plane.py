"""Istio's control plane and its way in."""

from collections.abc import Iterable
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Service
from pulumi_kubernetes.core.v1.outputs import ServiceStatus
from pulumi_kubernetes.helm.v4 import Chart

from components.chart import ChartSource, install
from components.manifest import custom_resource, made, timeouts
from components.mesh_namespace import POD_SECURITY_LABEL, labelled_namespace
from model import names


class IngressGatewayArgs(TypedDict):
    """The way in to the mesh."""

    chart: ChartSource
    """Istio's chart ``gateway``."""
    name: pulumi.Input[str]
    """Release name, which names the Service too."""
    host: pulumi.Input[str]
    """DNS name inside the cluster."""
    principal: pulumi.Input[str]
    """Identity in the mesh."""
    has_address: NotRequired[bool]
    """Whether a load balancer gives it an address outside the cluster; false by default."""
    route: NotRequired[pulumi.Input[dict[str, Any]]]
    """Specification of the OpenShift Route to it; left out, there is none."""
    route_host: NotRequired[pulumi.Input[str]]
    """Host of that Route; left out, the cluster chooses one."""


class IstioControlPlaneArgs(TypedDict):
    """What an IstioControlPlane needs."""

    namespace: pulumi.Input[str]
    """Namespace of the control plane, which is made."""
    namespace_exists: NotRequired[bool]
    """Whether that namespace exists already: it is labelled, and never created or deleted; false by default."""
    pod_security: NotRequired[pulumi.Input[str]]
    """Pod Security Standard that is enforced in it; left out, it is the cluster's."""
    base: ChartSource
    """Istio's chart ``base``: the CRDs."""
    istiod: ChartSource
    """Istio's chart ``istiod``: certificates, configuration, injection."""
    cni: NotRequired[ChartSource]
    """Istio's chart ``cni``; left out, pods set up their own network."""
    gateway: NotRequired[IngressGatewayArgs]
    """The ingress gateway; left out, there is no way in."""
    trust_domain: NotRequired[pulumi.Input[str]]
    """First part of every identity in the mesh; ``cluster.local`` by default."""
    wait: NotRequired[bool]
    """Whether to wait until the control plane is ready; true by default."""
    timeout: NotRequired[str]
    """How long to wait for an object of a chart, as a Go duration; ``5m`` by default."""


class IstioControlPlane(pulumi.ComponentResource):
    """Istio by its own charts: CRDs, CNI where asked for, istiod, then the ingress gateway."""

    namespace: pulumi.Output[str]
    """Namespace of the control plane."""
    trust_domain: pulumi.Output[str]
    """First part of every identity in the mesh."""
    gateway_principal: pulumi.Output[str]
    """Identity of the ingress gateway, empty where there is none."""
    ingress_address: pulumi.Output[str]
    """Address of its load balancer, else host of its Route, else its name in the cluster, else nothing."""

    def __init__(self, name: str, args: IstioControlPlaneArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kafka-on-istio:index:IstioControlPlane", name, dict(args), opts)

        def chart(suffix: str, source: ChartSource, release: pulumi.Input[str], needs: pulumi.Resource) -> Chart:
            return install(
                f"{name}-{suffix}",
                source,
                release=release,
                namespace=args["namespace"],
                wait=args.get("wait", True),
                opts=pulumi.ResourceOptions(
                    parent=self, depends_on=[needs], custom_timeouts=timeouts(args.get("timeout"))
                ),
            )

        labels: Any = {POD_SECURITY_LABEL: args["pod_security"]} if "pod_security" in args else {}
        namespace = labelled_namespace(
            f"{name}-namespace",
            args["namespace"],
            labels,
            exists=args.get("namespace_exists", False),
            opts=pulumi.ResourceOptions(parent=self),
        )
        network: pulumi.Resource = chart("base", args["base"], names.BASE_RELEASE, namespace)
        if "cni" in args:
            network = chart("cni", args["cni"], names.CNI_RELEASE, network)
        # What everything injected, and every Istio resource, depends on; the gateway comes later.
        self.ready = chart("istiod", args["istiod"], names.ISTIOD_RELEASE, network)
        self.ingress_address = pulumi.Output.from_input("")
        self.gateway_principal = pulumi.Output.from_input("")
        if "gateway" in args:
            gateway = args["gateway"]
            release = chart("gateway", gateway["chart"], gateway["name"], self.ready)
            self.ingress_address = pulumi.Output.from_input(gateway.get("route_host", gateway["host"]))
            self.gateway_principal = pulumi.Output.from_input(gateway["principal"])
            if "route" in gateway:
                custom_resource(
                    f"{name}-route",
                    {
                        "apiVersion": "route.openshift.io/v1",
                        "kind": "Route",
                        "metadata": {"name": gateway["name"], "namespace": args["namespace"]},
                        "spec": gateway["route"],
                    },
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[release]),
                )
            if gateway.get("has_address"):
                identifier = pulumi.Output.concat(args["namespace"], "/", gateway["name"])
                service = Service.get(
                    f"{name}-ingress",
                    release.resources.apply(lambda found: _service_id(found) or identifier),
                    opts=pulumi.ResourceOptions(parent=self),
                )
                both: pulumi.Output[list[Any]] = pulumi.Output.all(service.status, gateway["host"])
                self.ingress_address = both.apply(lambda found: _address(found[0]) or found[1])

        self.namespace = made(args["namespace"], namespace)
        self.trust_domain = pulumi.Output.from_input(args.get("trust_domain", "cluster.local"))
        self.register_outputs(
            {
                "namespace": self.namespace,
                "trustDomain": self.trust_domain,
                "gatewayPrincipal": self.gateway_principal,
                "ingressAddress": self.ingress_address,
            }
        )


def _service_id(found: Iterable[Any] | None) -> pulumi.Output[str] | None:
    """Return the id of a chart's Service. It is not known, and so not looked for, in a preview before it is there."""
    return next((item.id for item in found or () if isinstance(item, Service)), None)


def _address(status: ServiceStatus | None) -> str | None:
    """Return the load balancer's address, if it has given one."""
    balancer = status.load_balancer if status else None
    first = next(iter(balancer.ingress or ()), None) if balancer else None
    return (first.ip or first.hostname) if first else None

"""Istio's control plane and its ingress gateway."""

from collections.abc import Iterable
from typing import Any, NotRequired, Self, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Service
from pulumi_kubernetes.core.v1.outputs import ServiceStatus
from pulumi_kubernetes.helm.v4 import Chart

from kafka_on_istio import names
from kafka_on_istio.settings.mesh import ServiceType
from kafka_on_istio.settings.settings import Settings

from .chart import ChartSource, chart_sources, install
from .manifest import available, custom_resource, timeouts
from .mesh_namespace import POD_SECURITY_LABEL, labelled_namespace
from .validation import check


class IngressGatewayArgs(TypedDict):
    """The ingress gateway."""

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
    """Spec of the OpenShift Route to it; no Route if not set."""
    route_host: NotRequired[pulumi.Input[str]]
    """Host of that Route; the cluster chooses one if not set."""


class IstioControlPlaneArgs(TypedDict):
    """Arguments of an IstioControlPlane."""

    namespace: pulumi.Input[str]
    """Namespace of the control plane, which is created."""
    namespace_exists: NotRequired[bool]
    """Whether that namespace already exists: it is labelled, and never created or deleted; false by default."""
    pod_security: NotRequired[pulumi.Input[str]]
    """Pod Security Standard that is enforced in it; the cluster's default if not set."""
    base: ChartSource
    """Istio's chart ``base``: the CRDs."""
    istiod: ChartSource
    """Istio's chart ``istiod``: certificates, configuration, injection."""
    cni: NotRequired[ChartSource]
    """Istio's chart ``cni``; without it, pods set up their own network."""
    gateway: NotRequired[IngressGatewayArgs]
    """The ingress gateway; without it, there is no ingress."""
    trust_domain: NotRequired[pulumi.Input[str]]
    """First part of every identity in the mesh; ``cluster.local`` by default."""
    wait: NotRequired[bool]
    """Whether to wait until the control plane is ready; true by default."""
    timeout: NotRequired[str]
    """How long to wait for an object of a chart, as a Go duration; ``5m`` by default."""


class IstioControlPlane(pulumi.ComponentResource):
    """Istio, from its own charts: CRDs, CNI if set, istiod, then the ingress gateway."""

    namespace: pulumi.Output[str]
    """Namespace of the control plane."""
    trust_domain: pulumi.Output[str]
    """First part of every identity in the mesh."""
    gateway_principal: pulumi.Output[str]
    """Identity of the ingress gateway; empty without one."""
    ingress_address: pulumi.Output[str]
    """Address of its load balancer, host of its Route or DNS name in the cluster; empty without a gateway."""

    def __init__(self, name: str, args: IstioControlPlaneArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(f"IstioControlPlane {name}", args, IstioControlPlaneArgs)
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

        level = args.get("pod_security")
        namespace = labelled_namespace(
            f"{name}-namespace",
            args["namespace"],
            {POD_SECURITY_LABEL: level} if level else {},
            exists=args.get("namespace_exists", False),
            opts=pulumi.ResourceOptions(parent=self),
        )
        network: pulumi.Resource = chart("base", args["base"], names.BASE_RELEASE, namespace)
        if "cni" in args:
            network = chart("cni", args["cni"], names.CNI_RELEASE, network)
        # What every pod with a sidecar, and every Istio resource, depends on; the gateway comes later.
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

        self.namespace = available(args["namespace"], namespace)
        self.trust_domain = pulumi.Output.from_input(args.get("trust_domain", "cluster.local"))
        self.register_outputs(
            {
                "namespace": self.namespace,
                "trustDomain": self.trust_domain,
                "gatewayPrincipal": self.gateway_principal,
                "ingressAddress": self.ingress_address,
            }
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Create the stack's control plane, with a gateway if there is a data plane."""
        charts = chart_sources(settings)
        args: IstioControlPlaneArgs = {
            "namespace": settings.istio_namespace,
            "namespace_exists": settings.istio_namespace in settings.existing_namespaces,
            "pod_security": settings.istio_pod_security.value,
            "base": charts["base"],
            "istiod": charts["istiod"],
            "trust_domain": settings.trust_domain,
            "wait": settings.wait_for_ready,
            "timeout": settings.timeouts.chart,
        }
        if "cni" in charts:
            args["cni"] = charts["cni"]
        if "gateway" in charts:
            args["gateway"] = _gateway(settings, charts["gateway"])
        return cls("istio", args)


def _gateway(settings: Settings, chart: ChartSource) -> IngressGatewayArgs:
    args: IngressGatewayArgs = {
        "chart": chart,
        "name": names.GATEWAY,
        "host": names.gateway_host(settings),
        "principal": names.gateway_principal(settings),
        "has_address": settings.gateway_service_type is ServiceType.LOAD_BALANCER,
    }
    if settings.has_openshift_route:
        # OpenShift's router terminates the TLS of clients.
        args["route"] = {
            **({"host": settings.gateway_host} if settings.gateway_host else {}),
            "to": {"kind": "Service", "name": names.GATEWAY},
            "port": {"targetPort": "http2"},
            "tls": {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"},
        }
        if settings.gateway_host:
            args["route_host"] = settings.gateway_host
    return args


def _service_id(found: Iterable[Any] | None) -> pulumi.Output[str] | None:
    """Return the id of a chart's Service; it is unknown, and not read, in a preview before the Service exists."""
    return next((item.id for item in found or () if isinstance(item, Service)), None)


def _address(status: ServiceStatus | None) -> str | None:
    """Return the load balancer's address; None until it has one."""
    balancer = status.load_balancer if status else None
    first = next(iter(balancer.ingress or ()), None) if balancer else None
    return (first.ip or first.hostname) if first else None

"""Settings of Istio: the control plane, the data plane and the ingress gateway."""

from enum import Enum
from typing import Annotated, Any

from pydantic import Field

from kafka_on_istio.settings.values import DnsName, Label, Model, OptionalDnsName, setting


class DataPlane(str, Enum):
    """Whether workloads get an Envoy."""

    SIDECAR = "sidecar"
    NONE = "none"


class FailurePolicy(str, Enum):
    """What the API server does when a webhook does not answer."""

    FAIL = "Fail"
    IGNORE = "Ignore"


class ServiceType(str, Enum):
    """How a Service is reached from outside the cluster."""

    LOAD_BALANCER = "LoadBalancer"
    NODE_PORT = "NodePort"
    CLUSTER_IP = "ClusterIP"


class Chart(Model):
    """Where a Helm chart comes from."""

    chart: Annotated[str, Field(min_length=1)]
    repository: str = ""
    version: str = ""


class IstioCharts(Model):
    """Where Istio's charts come from."""

    repository: str = ""
    version: str = ""
    base: Annotated[str, Field(min_length=1)]
    istiod: Annotated[str, Field(min_length=1)]
    cni: Annotated[str, Field(min_length=1)]
    gateway: Annotated[str, Field(min_length=1)]


class ChartValues(Model):
    """Values that override the program's own, by chart."""

    base: dict[str, Any] = {}
    istiod: dict[str, Any] = {}
    cni: dict[str, Any] = {}
    gateway: dict[str, Any] = {}
    strimzi: dict[str, Any] = {}
    jaeger: dict[str, Any] = {}
    prometheus: dict[str, Any] = {}
    kiali: dict[str, Any] = {}


class MeshSettings(Model):
    """The control plane, the data plane and the ingress gateway."""

    data_plane: DataPlane = setting(
        default=DataPlane.SIDECAR,
        description="`sidecar` injects an Envoy into every workload and installs the ingress gateway. `none` "
        "does neither; all policies are created the same.",
    )
    istio_namespace: Label = setting(
        default="istio-system",
        description="Namespace of Istio's control plane, the ingress gateway and the observability tools.",
    )
    trust_domain: DnsName = setting(
        default="cluster.local",
        description="Istio's trust domain, the first part of every workload's identity.",
    )
    istio_charts: IstioCharts = setting(
        default={
            "repository": "https://blob.istio.io/istio-release/charts",
            "version": "1.31.0",
            "base": "base",
            "istiod": "istiod",
            "cni": "cni",
            "gateway": "gateway",
        },
        description="Istio's charts. Leave `repository` and `version` empty if the others are local paths or OCI "
        "references.",
    )
    chart_values: ChartValues = setting(
        default={},
        description="Helm values that override the program's own, by chart (`base`, `istiod`, `cni`, `gateway`, "
        "`strimzi`, `jaeger`, `prometheus`, `kiali`).",
    )
    cni: bool = setting(
        default=False,
        description="Install Istio's CNI plug-in, so that no workload needs NET_ADMIN. Required on OpenShift.",
    )
    webhook_failure_policy: FailurePolicy = setting(
        default=FailurePolicy.FAIL,
        description="What the API server does with Istio resources while istiod cannot validate them, `Fail` or "
        "`Ignore`.",
    )
    gateway_service_type: ServiceType = setting(
        default=ServiceType.LOAD_BALANCER,
        description="Type of the ingress gateway's Service: `LoadBalancer`, `NodePort` or `ClusterIP`.",
    )
    gateway_host: OptionalDnsName = setting(
        default="",
        description="Host of the Route to the gateway on platform `openshift` with a `ClusterIP` Service. If "
        "empty, the cluster chooses one.",
    )
    gateway_service_account: Label = setting(
        default="istio-ingressgateway",
        description="Service account of the ingress gateway, which is its identity in the mesh.",
    )

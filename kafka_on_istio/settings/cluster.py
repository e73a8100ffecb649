"""Settings of the Kubernetes cluster: what it is, and where its DNS and its API are."""

from enum import Enum

from kafka_on_istio.settings.values import (
    Cidr,
    DnsName,
    Label,
    LabelKey,
    LabelValue,
    Model,
    OptionalLabelKey,
    Port,
    setting,
)


class Platform(str, Enum):
    """What the cluster is."""

    KUBERNETES = "kubernetes"
    OPENSHIFT = "openshift"


class PodSecurity(str, Enum):
    """Pod Security Standard that Kubernetes enforces in the stack's namespaces."""

    PRIVILEGED = "privileged"
    BASELINE = "baseline"
    RESTRICTED = "restricted"


class ClusterSettings(Model):
    """What the cluster is, and where its DNS and its API are."""

    platform: Platform = setting(
        default=Platform.KUBERNETES,
        description="What the cluster is, `kubernetes` or `openshift`. Sets Istio's profile for the platform on "
        "every chart.",
    )
    cluster_domain: DnsName = setting(
        default="cluster.local",
        description="DNS domain of the cluster.",
    )
    dns_namespace: Label = setting(
        default="kube-system",
        description="Namespace of the cluster's DNS pods (`openshift-dns` on OpenShift).",
    )
    dns_labels: dict[LabelKey, LabelValue] = setting(
        default={"k8s-app": "kube-dns"},
        description="Labels of the cluster's DNS pods (`dns.operator.openshift.io/daemonset-dns: default` on "
        "OpenShift). Empty selects every pod of that namespace.",
    )
    dns_ports: list[Port] = setting(
        default=[53],
        description="Ports on which the cluster's DNS pods listen (5353 on OpenShift).",
    )
    api_server_ports: list[Port] = setting(
        default=[443, 6443],
        description="Ports of the Kubernetes API, of its Service and of its endpoints, that the operators may reach.",
    )
    api_server_addresses: list[Cidr] = setting(
        default=[],
        description="Address ranges (CIDR) of the Kubernetes API: its Service and its endpoints. If empty, `up` "
        "reads both from the cluster. Set ranges where the endpoints change, as on Amazon EKS: the subnets that "
        "they are in.",
    )
    private_ranges: list[Cidr] = setting(
        default=["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"],
        description="Address ranges (CIDR) that no outside host has. Egress to declared hosts excludes them.",
    )
    pod_security: PodSecurity = setting(
        default=PodSecurity.PRIVILEGED,
        description="Pod Security Standard that Kubernetes enforces in the namespaces of Kafka, the application "
        "and Strimzi: `privileged`, `baseline` or `restricted`. The last two require `cni`.",
    )
    topology_key: OptionalLabelKey = setting(
        default="",
        description="Label of the cluster's nodes across whose values Kafka's replicas and all pods are spread, "
        "such as `topology.kubernetes.io/zone`. Empty disables the spread.",
    )

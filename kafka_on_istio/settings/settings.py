"""All settings of a stack, and what follows from several of them."""

from typing import Final

from kafka_on_istio.settings.application import ApplicationSettings
from kafka_on_istio.settings.cluster import ClusterSettings, Platform, PodSecurity
from kafka_on_istio.settings.kafka import KafkaSettings
from kafka_on_istio.settings.mesh import DataPlane, MeshSettings, ServiceType
from kafka_on_istio.settings.observability import ObservabilitySettings
from kafka_on_istio.settings.stack import Layer, StackSettings

NAMESPACE: Final = "kafka-on-istio"
"""The namespace of the keys in Pulumi's configuration."""

SUBJECTS: Final = (
    StackSettings,
    ClusterSettings,
    MeshSettings,
    ObservabilitySettings,
    KafkaSettings,
    ApplicationSettings,
)
"""The parts of Settings, in the order in which Pulumi.yaml lists them."""


class Settings(ApplicationSettings, KafkaSettings, ObservabilitySettings, MeshSettings, ClusterSettings, StackSettings):
    """Every setting of a stack; ``Pulumi.yaml`` is generated from the fields."""

    @property
    def has_platform(self) -> bool:
        """Whether this stack creates the platform."""
        return self.layer is not Layer.APPLICATION

    @property
    def has_application(self) -> bool:
        """Whether this stack creates Kafka and the services."""
        return self.layer is not Layer.PLATFORM

    @property
    def namespaces(self) -> dict[str, str]:
        """The stack's namespaces besides Istio's, by purpose: ``kafka``, ``application`` and ``strimzi``."""
        found: dict[str, str] = {}
        if self.has_application:
            found["kafka"] = self.kafka_namespace
        if self.has_application and self.services:
            found["application"] = self.application_namespace
        if self.has_platform and self.strimzi_namespace not in found.values():
            found["strimzi"] = self.strimzi_namespace
        return found

    @property
    def created_namespaces(self) -> tuple[str, ...]:
        """Names of all namespaces that this stack creates."""
        istio = (self.istio_namespace,) if self.has_platform else ()
        return tuple(name for name in (*istio, *self.namespaces.values()) if name not in self.existing_namespaces)

    @property
    def operator_is_shared(self) -> bool:
        """Whether the Strimzi operator also runs Kafka clusters of other stacks."""
        return self.layer is Layer.PLATFORM or bool(set(self.strimzi_watch_namespaces) - {self.kafka_namespace})

    @property
    def istio_pod_security(self) -> PodSecurity:
        """Pod Security Standard of Istio's namespace: the CNI plug-in needs host paths, and no tool is restricted."""
        if self.cni or self.pod_security is PodSecurity.PRIVILEGED:
            return PodSecurity.PRIVILEGED
        return PodSecurity.BASELINE

    @property
    def sidecar_injection(self) -> bool:
        """Whether workloads get a sidecar."""
        return self.data_plane is DataPlane.SIDECAR

    @property
    def has_openshift_route(self) -> bool:
        """Whether an OpenShift Route leads to the gateway."""
        return self.platform is Platform.OPENSHIFT and self.gateway_service_type is ServiceType.CLUSTER_IP

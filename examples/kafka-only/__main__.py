"""Kafka in an Istio mesh without the demo application: default deny, one topic, and no users yet.

The stack's file takes the same settings as the main program's stacks, such as ``kafka-on-istio:kafkaNodePools``.
"""

import pulumi
from kafka_on_istio.components.cluster_facts import read_cluster
from kafka_on_istio.components.configuration import read_settings
from kafka_on_istio.components.istio_control_plane import IstioControlPlane
from kafka_on_istio.components.kafka_cluster import KafkaCluster
from kafka_on_istio.components.kafka_topic import KafkaTopic
from kafka_on_istio.components.mesh_namespace import MeshNamespace
from kafka_on_istio.components.mesh_security import MeshSecurity
from kafka_on_istio.components.strimzi_operator import StrimziOperator

from kafka_on_istio.access.derivation import access_model
from kafka_on_istio.access.model import to_json
from kafka_on_istio.policies import mesh_policies

settings = read_cluster().agreed(read_settings({"kafkaCluster": "events", "services": [], "routes": []}))
access = access_model(settings)


def after(*needs: pulumi.Resource) -> pulumi.ResourceOptions:
    """Return the options of a resource that depends on others."""
    return pulumi.ResourceOptions(depends_on=list(needs))


mesh = IstioControlPlane.from_settings(settings)
namespace = MeshNamespace.from_settings(settings, "kafka", after(mesh.ready))
security = MeshSecurity("security", {"policies": mesh_policies.security(access)}, after(mesh.ready, namespace))
operator = StrimziOperator.from_settings(settings, after(security))
kafka = KafkaCluster.from_settings(settings, access, after(operator))
KafkaTopic(
    "orders",
    {
        "namespace": kafka.namespace,
        "cluster_name": kafka.cluster_name,
        "topic_name": "orders",
        "partitions": 12,
        "replicas": settings.replicas,
        "config": {"retention.ms": 86_400_000},
        "wait": settings.wait_for_ready,
    },
    after(kafka),
)

pulumi.export("bootstrapAddress", kafka.bootstrap_address)
pulumi.export("accessModel", to_json(access))

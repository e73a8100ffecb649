"""Kafka in an Istio mesh without the demo application: closed, with a topic, and nobody who may use it yet.

A stack's file sets whatever the main program's stacks can (``kafka-on-istio:kafkaNodePools``, say).
"""

import pulumi

from components import arguments
from components.cluster_facts import read_cluster
from components.configuration import read_settings
from components.istio_control_plane import IstioControlPlane
from components.kafka_cluster import KafkaCluster
from components.kafka_topic import KafkaTopic
from components.mesh_namespace import MeshNamespace
from components.mesh_security import MeshSecurity
from components.strimzi_operator import StrimziOperator
from model import access

settings = read_cluster().agreed(read_settings({"kafkaCluster": "events", "services": [], "routes": []}))

mesh = IstioControlPlane("istio", arguments.istio_control_plane(settings))
namespace = MeshNamespace(
    "kafka", arguments.mesh_namespace(settings, "kafka"), pulumi.ResourceOptions(depends_on=[mesh.ready])
)
security = MeshSecurity(
    "security", arguments.mesh_security(settings), pulumi.ResourceOptions(depends_on=[mesh.ready, namespace])
)
operator = StrimziOperator(
    "strimzi", arguments.strimzi_operator(settings), pulumi.ResourceOptions(depends_on=[security])
)
kafka = KafkaCluster("kafka", arguments.kafka_cluster(settings), pulumi.ResourceOptions(depends_on=[operator]))
KafkaTopic(
    "orders",
    {
        "namespace": kafka.namespace,
        "cluster_name": kafka.cluster_name,
        "topic_name": "orders",
        "spec": {"partitions": 12, "replicas": settings.replicas, "config": {"retention.ms": 86_400_000}},
        "wait": settings.wait_for_ready,
    },
    pulumi.ResourceOptions(depends_on=[kafka]),
)

pulumi.export("bootstrapAddress", kafka.bootstrap_address)
pulumi.export("accessModel", access.exported(settings))

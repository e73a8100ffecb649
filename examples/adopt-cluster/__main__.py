"""A Kafka cluster that Strimzi already runs, adopted into the mesh with its manifests, its names and its data.

Existing objects are adopted, and ``pulumi destroy`` leaves them in place. The first update denies nothing; once brokers
and clients have sidecars, ``enforced`` denies every client that is not declared.
"""

from pathlib import Path

import pulumi
import yaml
from kafka_on_istio.components.configuration import read_settings
from kafka_on_istio.components.kafka_client import KafkaClient
from kafka_on_istio.components.kafka_cluster import KafkaCluster
from kafka_on_istio.components.kafka_topic import KafkaTopic
from kafka_on_istio.components.mesh_namespace import MeshNamespace
from kafka_on_istio.components.mesh_security import MeshSecurity

from kafka_on_istio.access.derivation import access_model
from kafka_on_istio.policies import mesh_policies
from kafka_on_istio.policies.default_deny import mutual_tls

manifests = list(yaml.safe_load_all(Path(__file__).with_name("kafka.yaml").read_text(encoding="utf-8")))
cluster = next(manifest for manifest in manifests if manifest["kind"] == "Kafka")
pools = [manifest for manifest in manifests if manifest["kind"] == "KafkaNodePool"]
topics = [manifest for manifest in manifests if manifest["kind"] == "KafkaTopic"]

config = pulumi.Config()
settings = read_settings(
    {
        "layer": "application",  # Istio and Strimzi exist.
        "strimziNamespace": config.require("strimziNamespace"),
        "kafkaNamespace": cluster["metadata"]["namespace"],
        "existingNamespaces": [cluster["metadata"]["namespace"]],
        "kafkaCluster": cluster["metadata"]["name"],
        "services": [],
        "routes": [],
    }
)

namespace = MeshNamespace.from_settings(settings, "kafka")
kafka = KafkaCluster(
    "kafka",
    {
        "namespace": namespace.namespace,
        "cluster_name": settings.kafka_cluster,
        "labels": cluster["metadata"].get("labels", {}),
        "annotations": cluster["metadata"].get("annotations", {}),
        "spec": cluster["spec"],
        "node_pools": [
            {
                "name": pool["metadata"]["name"],
                "labels": pool["metadata"].get("labels", {}),
                "annotations": pool["metadata"].get("annotations", {}),
                "spec": pool["spec"],
            }
            for pool in pools
        ],
        "wait": settings.wait_for_ready,
    },
    pulumi.ResourceOptions(retain_on_delete=True),
)
for topic in topics:
    KafkaTopic(
        topic["metadata"]["name"],
        {
            "namespace": kafka.namespace,
            "cluster_name": kafka.cluster_name,
            "topic_name": topic["metadata"]["name"],
            "labels": topic["metadata"].get("labels", {}),
            "annotations": topic["metadata"].get("annotations", {}),
            "spec": topic["spec"],
            "wait": settings.wait_for_ready,
        },
        pulumi.ResourceOptions(retain_on_delete=True),
    )

if config.require_bool("enforced"):
    # One per workload that uses the cluster. The user is new; the workload's own user stays.
    billing = KafkaClient(
        "billing",
        {
            "namespace": "billing",
            "service_account": "billing",
            "labels": {"app": "billing"},
            "cluster_namespace": kafka.namespace,
            "cluster_name": kafka.cluster_name,
            "acls": [{"resource": "topic", "name": "invoices", "operations": ["Write", "Describe"]}],
            "isolated": False,  # Its other connections stay as they are.
            "wait": settings.wait_for_ready,
        },
    )
    pulumi.export("billing", {"user": billing.user_name, "secret": billing.secret_name, "key": billing.secret_key})
    policies = mesh_policies.security(access_model(settings))
    MeshSecurity("security", {"policies": policies}, pulumi.ResourceOptions(depends_on=[namespace, billing]))
else:
    # While some pods have a sidecar and others do not.
    MeshSecurity(
        "security",
        {"policies": [mutual_tls(settings.kafka_namespace, "PERMISSIVE")]},
        pulumi.ResourceOptions(depends_on=[namespace]),
    )

pulumi.export("bootstrapAddress", kafka.bootstrap_address)

"""A Kafka cluster that Strimzi already runs, taken into the mesh as it is: its manifests, its names, its data.

Nothing is made anew: an object that is there already is taken over. ``pulumi destroy`` gives it back.
"""

from pathlib import Path

import pulumi
import yaml

from components import arguments
from components.configuration import read_settings
from components.kafka_client import KafkaClient
from components.kafka_cluster import KafkaCluster
from components.kafka_topic import KafkaTopic
from components.mesh_namespace import MeshNamespace
from components.mesh_security import MeshSecurity

manifests = list(yaml.safe_load_all(Path(__file__).with_name("kafka.yaml").read_text(encoding="utf-8")))
cluster = next(manifest for manifest in manifests if manifest["kind"] == "Kafka")
pools = [manifest for manifest in manifests if manifest["kind"] == "KafkaNodePool"]
topics = [manifest for manifest in manifests if manifest["kind"] == "KafkaTopic"]

settings = read_settings(
    {
        "layer": "application",  # Istio and Strimzi are there.
        "strimziNamespace": pulumi.Config().require("strimziNamespace"),
        "kafkaNamespace": cluster["metadata"]["namespace"],
        "kafkaCluster": cluster["metadata"]["name"],
        "services": [],
        "routes": [],
    }
)
namespace = MeshNamespace(
    "kafka", arguments.mesh_namespace(settings, "kafka"), pulumi.ResourceOptions(retain_on_delete=True)
)
security = MeshSecurity("security", arguments.mesh_security(settings), pulumi.ResourceOptions(depends_on=[namespace]))
kafka = KafkaCluster(
    "kafka",
    {
        "namespace": namespace.namespace,
        "cluster_name": settings.kafka_cluster,
        "spec": cluster["spec"],
        "node_pools": [{"name": pool["metadata"]["name"], "spec": pool["spec"]} for pool in pools],
        "wait": settings.wait_for_ready,
    },
    pulumi.ResourceOptions(depends_on=[security], retain_on_delete=True),
)
for topic in topics:
    KafkaTopic(
        topic["metadata"]["name"],
        {
            "namespace": kafka.namespace,
            "cluster_name": kafka.cluster_name,
            "topic_name": topic["metadata"]["name"],
            "spec": topic["spec"],
            "wait": settings.wait_for_ready,
        },
        pulumi.ResourceOptions(depends_on=[kafka], retain_on_delete=True),
    )

# One like this for each workload that uses the cluster; all others are refused from here on.
billing = KafkaClient(
    "billing",
    {
        "namespace": "billing",
        "service_account": "billing",
        "labels": {"app": "billing"},
        "cluster_namespace": kafka.namespace,
        "cluster_name": kafka.cluster_name,
        "acls": [
            {
                "type": "allow",
                "resource": {"type": "topic", "name": "invoices", "patternType": "literal"},
                "operations": ["Write", "Describe"],
                "host": "*",
            }
        ],
        "closed": False,  # What else it does goes on.
        "wait": settings.wait_for_ready,
    },
    pulumi.ResourceOptions(depends_on=[kafka]),
)

pulumi.export("bootstrapAddress", kafka.bootstrap_address)
pulumi.export("billing", {"user": billing.user_name, "secret": billing.secret_name, "key": billing.secret_key})

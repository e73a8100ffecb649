"""A service of your own that writes orders to its topic, and may do nothing else."""

from pathlib import Path

import pulumi
from kafka_on_istio.components.kafka_client import KafkaClient
from kafka_on_istio.components.kafka_topic import KafkaTopic
from kafka_on_istio.components.mesh_namespace import MeshNamespace
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import ConfigMap, ServiceAccount

NAME = "orders"
LABELS = {"app": NAME, "version": "v1"}

config = pulumi.Config()
cluster_name, cluster_namespace = config.require("kafkaCluster"), config.require("kafkaNamespace")
cluster_domain, trust_domain = config.require("clusterDomain"), config.require("trustDomain")

mesh = MeshNamespace(NAME, {"namespace": config.require("namespace"), "sidecar_injection": True, "isolated": True})
namespace = mesh.namespace
within = pulumi.ResourceOptions(depends_on=[mesh])
topic = KafkaTopic(
    NAME,
    {
        "namespace": cluster_namespace,
        "cluster_name": cluster_name,
        "topic_name": NAME,
        "partitions": 3,
        "replicas": config.require_int("replicas"),
    },
)
kafka = KafkaClient(
    NAME,
    {
        "namespace": namespace,
        "service_account": NAME,
        "labels": LABELS,
        "cluster_namespace": cluster_namespace,
        "cluster_name": cluster_name,
        "cluster_domain": cluster_domain,
        "trust_domain": trust_domain,
        "istio_namespace": config.require("istioNamespace"),
        "acls": [{"resource": "topic", "name": NAME, "operations": ["Write", "Describe"]}],
    },
    within,
)

# In your own service, this is in the image.
source = Path(__file__).with_name("orders.py").read_text(encoding="utf-8")
program = ConfigMap(
    f"{NAME}-program",
    metadata={"namespace": namespace},
    immutable=True,
    data={"orders.py": source},
    opts=within,
)
account = ServiceAccount(
    f"{NAME}-account",
    metadata={"name": NAME, "namespace": namespace},
    automount_service_account_token=False,
    opts=within,
)
Deployment(
    NAME,
    metadata={"name": NAME, "namespace": namespace, "labels": LABELS},
    spec={
        "replicas": 1,
        "selector": {"match_labels": LABELS},
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {
                "service_account_name": NAME,
                "automount_service_account_token": False,
                "security_context": {"run_as_non_root": True, "seccomp_profile": {"type": "RuntimeDefault"}},
                "containers": [
                    {
                        "name": NAME,
                        "image": config.require("image"),
                        "command": ["python", "/program/orders.py"],
                        "env": [*kafka.environment(), {"name": "KAFKA_TOPIC", "value": topic.topic_name}],
                        "liveness_probe": {
                            "exec_": {"command": ["sh", "-c", 'test -n "$(find /tmp/alive -mmin -1)"']},
                            "period_seconds": 20,
                        },
                        "readiness_probe": {"exec_": {"command": ["test", "-e", "/tmp/written"]}, "period_seconds": 2},
                        "resources": {
                            "requests": {"cpu": "10m", "memory": "64Mi"},
                            "limits": {"cpu": "200m", "memory": "128Mi"},
                        },
                        "security_context": {
                            "allow_privilege_escalation": False,
                            "read_only_root_filesystem": True,
                            "capabilities": {"drop": ["ALL"]},
                        },
                        "volume_mounts": [
                            {"name": "program", "mount_path": "/program", "read_only": True},
                            {"name": "tmp", "mount_path": "/tmp"},
                        ],
                    }
                ],
                "volumes": [
                    {"name": "program", "config_map": {"name": program.metadata.name}},
                    {"name": "tmp", "empty_dir": {}},
                ],
            },
        },
    },
    opts=pulumi.ResourceOptions(depends_on=[topic, kafka, account]),
)

pulumi.export("topic", topic.topic_name)
pulumi.export("user", kafka.user_name)

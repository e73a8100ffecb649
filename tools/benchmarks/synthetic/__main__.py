"""As many services as asked for, each with a topic, a user, a password, two Secrets, an account and a policy."""

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Namespace, Secret, ServiceAccount
from pulumi_random import RandomPassword

namespace = Namespace("namespace", metadata={"name": "synthetic"})
inside = {"namespace": namespace.metadata.name}
cluster = {"strimzi.io/cluster": "synthetic"}

for number in range(pulumi.Config().require_int("services")):
    name = f"service-{number:03}"
    password = RandomPassword(f"{name}-password", length=32, special=False)
    secrets = [
        Secret(f"{name}-{where}", metadata=inside, immutable=True, string_data={"password": password.result})
        for where in ("kafka", "application")
    ]
    ServiceAccount(f"{name}-account", metadata={"name": name, **inside})
    CustomResource(
        f"{name}-topic",
        api_version="kafka.strimzi.io/v1",
        kind="KafkaTopic",
        metadata={"name": name, "labels": cluster, **inside},
        spec={"partitions": 10, "replicas": 1},
    )
    reference = {"name": secrets[0].metadata.name, "key": "password"}
    CustomResource(
        f"{name}-user",
        api_version="kafka.strimzi.io/v1",
        kind="KafkaUser",
        metadata={"name": name, "labels": cluster, **inside},
        spec={
            "authentication": {
                "type": "scram-sha-512",
                "password": {"valueFrom": {"secretKeyRef": reference}},
            }
        },
    )
    CustomResource(
        f"{name}-policy",
        api_version="security.istio.io/v1",
        kind="AuthorizationPolicy",
        metadata={"name": name, **inside},
        spec={"selector": {"matchLabels": {"app": name}}},
    )

"""A Pulumi program to interrupt: a chain of objects, and a password in a Secret."""

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_random as random

value = pulumi.Config().get("value") or "first"
namespace = kubernetes.core.v1.Namespace("shop", metadata={"name": "shop"})
password = random.RandomPassword("password", length=16)
before: pulumi.Resource = kubernetes.core.v1.Secret(
    "secret",
    metadata={"name": "secret", "namespace": namespace.metadata.name},
    string_data={"password": password.result},
)
for number in range(pulumi.Config().get_int("count") or 6):
    before = kubernetes.core.v1.ConfigMap(
        f"map-{number}",
        metadata={"name": f"map-{number}", "namespace": namespace.metadata.name},
        data={"value": value},
        opts=pulumi.ResourceOptions(depends_on=[before]),
    )

"""Kafka in an Istio mesh: the components, what each depends on, and the stack's outputs."""

from pathlib import Path
from typing import Any

import pulumi

from components.cluster_facts import read_cluster
from components.configuration import read_settings
from components.demo_application import DemoApplication
from components.istio_control_plane import IstioControlPlane
from components.kafka_cluster import KafkaCluster
from components.kafka_topic import KafkaTopic
from components.kafka_user import KafkaUser
from components.mesh_namespace import MeshNamespace
from components.mesh_routes import MeshRoutes
from components.mesh_security import MeshSecurity
from components.observability import Observability
from components.platform_reference import PlatformReference
from components.strimzi_operator import StrimziOperator
from kafka_on_istio.access.derivation import access_model
from kafka_on_istio.access.model import to_json
from kafka_on_istio.outputs import commands, page, platform_output
from kafka_on_istio.policies import mesh_policies

settings = read_cluster().agreed(read_settings())
access = access_model(settings)


def after(*needs: pulumi.Input[pulumi.Resource], holds_data: bool = False) -> pulumi.ResourceOptions:
    """Return the options of a resource that depends on others, and is protected if it holds data."""
    kept = (holds_data and settings.keeps_data) or None
    return pulumi.ResourceOptions(depends_on=list(needs), protect=kept, retain_on_delete=kept)


outputs: dict[str, Any] = {}

# The mesh, created here or by another stack, and its namespaces.
mesh: IstioControlPlane | PlatformReference
mesh = IstioControlPlane.from_settings(settings) if settings.has_platform else PlatformReference.from_settings(settings)
namespaces = {
    purpose: MeshNamespace.from_settings(settings, purpose, after(mesh.ready, holds_data=purpose == "kafka"))
    for purpose in settings.namespaces
}

# Default deny and allow rules, before anything runs.
policies = mesh_policies.security(access)
security = MeshSecurity("security", {"policies": policies}, after(mesh.ready, *namespaces.values()))
kafka_needs: list[pulumi.Resource] = [security]
services_need: list[pulumi.Resource] = [security]

# Observability tools and the Strimzi operator.
if settings.has_platform:
    services_need.append(Observability.from_settings(settings, after(mesh.ready)))
    # The operator's CRDs are deleted with it, and with them every Kafka.
    kafka_needs.append(StrimziOperator.from_settings(settings, after(security, holds_data=True)))
    outputs["platform"] = platform_output.exported(settings)

# Kafka with its topics and users, and the services that log in as them.
if settings.has_application:
    kafka = KafkaCluster.from_settings(settings, access, after(*kafka_needs, holds_data=True))
    topics = [KafkaTopic.from_settings(settings, topic, after(kafka, holds_data=True)) for topic in access.topics]
    users = [KafkaUser.from_settings(settings, user, after(kafka)) for user in access.users]
    credentials = {
        user.name: created.credentials(f"{user.name}-credentials", namespaces["application"].namespace)
        for user, created in zip(access.users, users, strict=True)
    }
    if settings.services:
        demo = DemoApplication.from_settings(settings, credentials, after(*services_need, *topics))
        # Calls are routed to a version once its pods exist.
        MeshRoutes("routes", {"routes": mesh_policies.routes(access)}, after(demo))
    outputs["bootstrapAddress"] = kafka.bootstrap_address
    outputs["accessModel"] = to_json(access)

outputs["ingressAddress"] = mesh.ingress_address
outputs["namespaces"] = {
    "istio": mesh.namespace,
    **{purpose: namespace.namespace for purpose, namespace in namespaces.items()},
}
outputs["commands"] = commands.to_try(settings)
outputs["readme"] = page.render(Path(__file__).with_name("Pulumi.README.md").read_text(encoding="utf-8"), outputs)
for name, value in outputs.items():
    pulumi.export(name, value)

"""Kafka in an Istio mesh: the settings, the building blocks, how they hang together, and what comes out."""

from pathlib import Path
from typing import Any

import pulumi

from components import arguments
from components.cluster_owners import refuse_foreign
from components.configuration import read_settings
from components.demo_application import DemoApplication
from components.demo_service import DemoServiceArgs
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
from model import access, commands, page, platform
from model.settings import Service

settings = read_settings()
refuse_foreign(settings)


def after(*needs: pulumi.Input[pulumi.Resource], holds_data: bool = False) -> pulumi.ResourceOptions:
    """Say what must be there before, and keep what holds data where the settings do."""
    kept = (holds_data and settings.keeps_data) or None
    return pulumi.ResourceOptions(depends_on=list(needs), protect=kept, retain_on_delete=kept)


outputs: dict[str, Any] = {}

# The mesh, made here or before, and the namespaces that belong to it.
mesh: IstioControlPlane | PlatformReference
if settings.has_platform:
    mesh = IstioControlPlane("istio", arguments.istio_control_plane(settings))
else:
    mesh = PlatformReference("platform", arguments.platform_reference(settings))
namespaces = {
    name: MeshNamespace(name, arguments.mesh_namespace(settings, name), after(mesh.ready, holds_data=name == "kafka"))
    for name in settings.namespaces
}

# Closed before anything runs in them, and open for what is declared.
security = MeshSecurity("security", arguments.mesh_security(settings), after(mesh.ready, *namespaces.values()))
kafka_needs: list[pulumi.Resource] = [security]
services_need: list[pulumi.Resource] = [security]

# What watches over the mesh, and what runs Kafka in it.
if settings.has_platform:
    observability = Observability("observability", arguments.observability(settings), after(mesh.ready))
    # With it would go its CRDs, and with these every Kafka.
    operator = StrimziOperator("strimzi", arguments.strimzi_operator(settings), after(security, holds_data=True))
    kafka_needs.append(operator)
    services_need.append(observability)
    outputs["platform"] = platform.exported(settings)


def application() -> None:
    """Kafka with its topics and users, and the services that log in as them, on a platform that is ready."""
    kafka = KafkaCluster("kafka", arguments.kafka_cluster(settings), after(*kafka_needs, holds_data=True))
    topics = [
        KafkaTopic(topic, arguments.kafka_topic(settings, topic), after(kafka, holds_data=True))
        for topic in settings.topics
    ]
    users = {
        user.name: KafkaUser(user.name, arguments.kafka_user(settings, user), after(kafka))
        for user in access.kafka_users(settings)
    }
    credentials = {
        name: user.credentials(f"{name}-credentials", namespaces["application"].namespace)
        for name, user in users.items()
    }

    def demo_service(service: Service) -> DemoServiceArgs:
        return arguments.demo_service(settings, service, credentials[service.user] if service.user else None)

    if settings.services:
        demo = DemoApplication(
            "demo",
            {"services": [demo_service(service) for service in settings.services]},
            after(*services_need, *topics),
        )
        # No call goes to a version whose pods are not there.
        MeshRoutes("routes", arguments.mesh_routes(settings), after(demo))
    outputs["bootstrapAddress"] = kafka.bootstrap_address
    outputs["accessModel"] = access.exported(settings)


if settings.has_application:
    application()

outputs["ingressAddress"] = mesh.ingress_address
outputs["namespaces"] = {
    "istio": mesh.namespace,
    **{name: namespace.namespace for name, namespace in namespaces.items()},
}
outputs["commands"] = commands.to_try(settings)
outputs["readme"] = page.of(Path(__file__).with_name("Pulumi.README.md").read_text(encoding="utf-8"), outputs)
for name, value in outputs.items():
    pulumi.export(name, value)

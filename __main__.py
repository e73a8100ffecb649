"""Kafka in an Istio mesh: the settings, the building blocks, how they hang together, and what comes out."""

import pulumi

from components import arguments
from components.configuration import read_settings
from components.demo_application import DemoApplication
from components.demo_service import DemoServiceArgs
from components.istio_control_plane import IstioControlPlane
from components.kafka_cluster import KafkaCluster
from components.kafka_topic import KafkaTopic
from components.kafka_user import KafkaUser
from components.mesh_namespace import MeshNamespace
from components.mesh_security import MeshSecurity
from components.observability import Observability
from components.strimzi_operator import StrimziOperator
from model import access, commands
from model.settings import Service

settings = read_settings()

# The mesh, and the two namespaces that belong to it.
istio = IstioControlPlane("istio", arguments.istio_control_plane(settings))
kafka_namespace = MeshNamespace("kafka", arguments.mesh_namespace(settings, settings.kafka_namespace))
application_namespace = MeshNamespace("application", arguments.mesh_namespace(settings, settings.application_namespace))
observability = Observability(
    "observability", arguments.observability(settings), pulumi.ResourceOptions(depends_on=[istio.ready])
)

# Closed before anything runs in them, and open for what is declared.
security = MeshSecurity(
    "security",
    arguments.mesh_security(settings),
    pulumi.ResourceOptions(depends_on=[istio.ready, kafka_namespace, application_namespace]),
)

# Kafka, its topics and its users.
operator = StrimziOperator(
    "strimzi", arguments.strimzi_operator(settings), pulumi.ResourceOptions(depends_on=[security])
)
kafka = KafkaCluster("kafka", arguments.kafka_cluster(settings), pulumi.ResourceOptions(depends_on=[operator]))
topics = {
    topic: KafkaTopic(topic, arguments.kafka_topic(settings, topic), pulumi.ResourceOptions(depends_on=[kafka]))
    for topic in settings.topics
}
users = {
    user.name: KafkaUser(
        user.name,
        arguments.kafka_user(settings, user),
        pulumi.ResourceOptions(depends_on=[kafka]),
    )
    for user in access.kafka_users(settings)
}
credentials = {
    name: user.credentials(f"{name}-credentials", application_namespace.namespace) for name, user in users.items()
}


def demo_service(service: Service) -> DemoServiceArgs:
    """Say what a service consists of, logged in to Kafka as its own user."""
    return arguments.demo_service(settings, service, credentials[service.user] if service.user else None)


# The application, once its topics and users are there.
application = DemoApplication(
    "demo",
    {"services": [demo_service(service) for service in settings.services]},
    pulumi.ResourceOptions(depends_on=[security, observability, *topics.values()]),
)

pulumi.export("ingressAddress", istio.ingress_address)
pulumi.export("bootstrapAddress", kafka.bootstrap_address)
pulumi.export(
    "namespaces",
    {
        "istio": istio.namespace,
        "kafka": kafka_namespace.namespace,
        "application": application_namespace.namespace,
    },
)
pulumi.export("accessModel", access.exported(settings))
pulumi.export("commands", commands.to_try(settings))

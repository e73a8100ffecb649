"""The components as a source-based plugin, for programs in any language that Pulumi has.

``pulumi package add <repository>/plugin`` runs this folder as a program.
"""

import inspect
import sys
from pathlib import Path
from typing import Final

import pulumi
from pulumi.provider.experimental import component_provider_host

# The whole repository is there, but only this folder is on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from components.demo_application import DemoApplication
from components.demo_service import DemoService
from components.istio_control_plane import IstioControlPlane
from components.kafka_client import KafkaClient
from components.kafka_cluster import KafkaCluster
from components.kafka_credentials import KafkaCredentials
from components.kafka_topic import KafkaTopic
from components.kafka_user import KafkaUser
from components.mesh_namespace import MeshNamespace
from components.mesh_routes import MeshRoutes
from components.mesh_security import MeshSecurity
from components.observability import Observability
from components.strimzi_operator import StrimziOperator

VERSION: Final = "0.2.0"
"""Version of the package, by the rules of CHANGELOG.md."""

COMPONENTS: Final[list[type[pulumi.ComponentResource]]] = [
    DemoApplication,
    DemoService,
    IstioControlPlane,
    KafkaClient,
    KafkaCluster,
    KafkaCredentials,
    KafkaTopic,
    KafkaUser,
    MeshNamespace,
    MeshRoutes,
    MeshSecurity,
    Observability,
    StrimziOperator,
]

if __name__ == "__main__":
    for component in COMPONENTS:
        # It is shown as Markdown, where indented paragraphs are code.
        component.__doc__ = inspect.cleandoc(component.__doc__ or "")
    component_provider_host(COMPONENTS, "kafka-on-istio", namespace="kafka-on-istio", version=VERSION)

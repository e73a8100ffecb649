"""Everything that MeshSecurity and MeshRoutes create."""

from kafka_on_istio.access.model import AccessModel
from kafka_on_istio.policies.authorization_policies import authorization_policies, gateway_authorization_policies
from kafka_on_istio.policies.default_deny import default_deny
from kafka_on_istio.policies.manifests import Manifest
from kafka_on_istio.policies.network_policies import network_policies
from kafka_on_istio.policies.peer_authentications import peer_authentications
from kafka_on_istio.policies.routes import destination_rules, gateways, virtual_services
from kafka_on_istio.policies.service_entries import service_entries
from kafka_on_istio.policies.sidecars import sidecars


def security(model: AccessModel) -> list[Manifest]:
    """Return the policies that enforce the model: strict mutual TLS, default deny, and an allow rule per edge."""
    return [
        *peer_authentications(model),
        *(policy for namespace in model.mesh.own_namespaces for policy in default_deny(namespace)),
        *gateway_authorization_policies(model),
        *network_policies(model),
        *authorization_policies(model),
        *sidecars(model),
        *service_entries(model),
        *gateways(model),
    ]


def routes(model: AccessModel) -> list[Manifest]:
    """Return where allowed calls go: to versions of services, whose pods must exist by then."""
    return [*destination_rules(model), *virtual_services(model)]

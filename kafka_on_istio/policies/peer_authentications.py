"""PeerAuthentications: strict mutual TLS everywhere but on Strimzi's own ports."""

from collections.abc import Iterator

from kafka_on_istio import names
from kafka_on_istio.access.model import AccessModel, Role
from kafka_on_istio.policies.default_deny import mutual_tls
from kafka_on_istio.policies.manifests import Manifest, peer_authentication


def peer_authentications(model: AccessModel) -> Iterator[Manifest]:
    """Yield one policy per namespace, and one for the brokers.

    Strimzi's own mutual TLS protects its ports on the brokers: the cluster operator is outside the mesh and must reach
    them.
    """
    istio = (model.mesh.istio_namespace,) if model.mesh.creates_platform else ()
    for namespace in (*istio, *model.mesh.own_namespaces):
        yield mutual_tls(namespace)
    brokers = model.with_role(Role.BROKERS)
    if brokers:
        yield peer_authentication(
            brokers.service_account,
            brokers.namespace,
            brokers.labels,
            portLevelMtls={str(port): {"mode": "PERMISSIVE"} for port in names.STRIMZI_PORTS.values()},
        )

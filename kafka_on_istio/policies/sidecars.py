"""Sidecars: the hosts that each workload may call."""

from collections.abc import Iterator

from kafka_on_istio.access.model import AccessModel, Role, Workload
from kafka_on_istio.policies.manifests import Manifest, sidecar


def sidecars(model: AccessModel) -> Iterator[Manifest]:
    """Yield one Sidecar per isolated workload of the application.

    Per workload and not per namespace, because under REGISTRY_ONLY this separates one service's egress from the
    others'. Each lists the OTLP Service (istio/istio#53701).
    """
    for workload in model.own():
        if workload.role is not Role.CLUSTER_OPERATOR:
            yield sidecar(workload.service_account, workload.namespace, workload.labels, list(_hosts(model, workload)))


def _hosts(model: AccessModel, workload: Workload) -> dict[str, None]:
    hosts: dict[str, None] = {}
    for edge in model.out_of(workload.id):
        destination = model.workload(edge.destination)
        hosts.update(dict.fromkeys(f"{destination.namespace}/{host}" for host in destination.hosts))
    for external in model.external_hosts:
        if workload.id in external.sources:
            hosts[f"./{external.host}"] = None
    for item in model.infrastructure:
        if item.name == "otlp" or (item.name == "kubernetes" and workload.id in item.sources):
            hosts.update(dict.fromkeys(f"{item.namespace or 'default'}/{host}" for host in item.hosts))
    return hosts

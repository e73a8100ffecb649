"""ServiceEntries: the hosts outside the cluster that the mesh knows."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from kafka_on_istio.access.model import AccessModel
from kafka_on_istio.policies.manifests import NETWORKING, Manifest, manifest


def service_entries(model: AccessModel) -> Iterator[Manifest]:
    """Yield one ServiceEntry per host, with all its ports; a workload's Sidecar tells whether it may use the host."""
    by_host: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for external in model.external_hosts:
        protocol = "TLS" if external.protocol == "HTTPS" else external.protocol
        by_host[external.host].append(
            {"number": external.port, "name": f"{protocol.lower()}-{external.port}", "protocol": protocol}
        )
    for host, ports in by_host.items():
        yield manifest(
            NETWORKING,
            "ServiceEntry",
            host.replace(".", "-"),
            model.services[0].namespace,
            {
                "hosts": [host],
                "exportTo": ["."],
                "location": "MESH_EXTERNAL",
                "resolution": "DNS",
                "ports": ports,
            },
        )

"""The application's ingress, and a call through it."""

from __future__ import annotations

import click
import httpx2

from lab.cluster import Cluster
from lab.errors import LabError
from lab.lab import Lab

_HTTP = 80


def call(lab: Lab) -> None:
    """Call the application through its first route and print the response, or that there are no routes.

    :raises LabError: if there is no response, or an error.
    """
    found = _entry(lab)
    if found is None:
        click.echo("nothing to call: the stack has no routes")
        return
    url, method, service = found
    click.echo(f"{method} {url}")
    try:
        response = httpx2.request(method, url, timeout=10)
    except httpx2.HTTPError as error:
        message = f"{url}: {error or type(error).__name__}; see `make status`"
        raise LabError(message) from error
    click.echo(response.text, nl=False)
    if response.is_error:
        message = f"{url}: status {response.status_code}; see `make status` and `make logs SERVICE={service}`"
        raise LabError(message)


def _entry(lab: Lab) -> tuple[str, str, str] | None:
    """Return the URL of the first route, its method and its service; None if there are no routes.

    Without a data plane there is no gateway, and the URL is the service's own.
    """
    model = lab.access_model()
    if not model.entries:
        return None
    entry, gateway = model.entries[0], model.gateway
    if gateway:
        host, port, path = gateway.hosts[0], gateway.ports[0].port, entry.path
    else:
        service = next(service for service in model.services if service.name == entry.service)
        workload = model.workload(service.versions[0].workload)
        host, port, path = service.host, workload.ports[0].port, entry.target
    name, namespace, *_ = host.split(".")
    address = Cluster(lab.control_plane().kubeconfig).service_address(namespace, name)
    return f"http://{address}{'' if port == _HTTP else f':{port}'}{path}", entry.method, entry.service

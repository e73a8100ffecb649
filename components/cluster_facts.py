"""What the program reads from the cluster before it registers a resource."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import yaml
from kubernetes import client, config
from urllib3.exceptions import HTTPError

from kafka_on_istio.ownership import ANNOTATION, faults
from kafka_on_istio.settings.errors import SettingsError
from kafka_on_istio.settings.settings import Settings

from .chart import stack_owner

_TIMEOUT_SECONDS = (5, 30)
"""For the connection and for an answer."""

_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Requests only metadata, because CustomResourceDefinitions are large."""


@dataclass(frozen=True)
class ClusterFacts:
    """What the program knows of the cluster; nothing in an offline preview.

    ``owners`` maps each namespace and cluster-wide object (``Kind/name``) to the stack that made it, or to None.
    ``api_server`` lists the addresses of the Kubernetes API as CIDR.
    """

    owners: Mapping[str, str | None] | None = None
    api_server: list[str] = field(default_factory=list)

    def agreed(self, settings: Settings) -> Settings:
        """Return the settings, completed with the addresses of the Kubernetes API.

        Raises pulumi.RunError, which the CLI prints without a traceback, if another owner has a namespace or
        cluster-wide object that this stack would create.
        """
        found = list(faults(settings, stack_owner(), self.owners)) if self.owners is not None else []
        if found:
            raise pulumi.RunError(str(SettingsError(found)))
        if settings.api_server_addresses:
            return settings
        return settings.model_copy(update={"api_server_addresses": self.api_server})


def read_cluster() -> ClusterFacts:
    """Read from the cluster that Pulumi's Kubernetes provider uses by default. Logs a message if that fails."""
    try:
        api = _api()
        return ClusterFacts(owners=dict(_owners(api)), api_server=_api_server(api))
    except config.ConfigException as error:
        pulumi.log.info(f"existing namespaces and cluster-wide objects are not checked: {error}")
    except (client.ApiException, HTTPError) as error:
        reason = error.reason if isinstance(error, client.ApiException) else error
        pulumi.log.warn(f"existing namespaces and cluster-wide objects cannot be checked: {reason}")
    return ClusterFacts()


def _api() -> client.ApiClient:
    provider = pulumi.Config("kubernetes")
    given, context = provider.get("kubeconfig") or os.environ.get("KUBECONFIG"), provider.get("context")
    found: client.ApiClient
    if given and "apiVersion" in given:
        found = config.new_client_from_config_dict(yaml.safe_load(given), context=context)
    elif not given and "KUBERNETES_SERVICE_HOST" in os.environ:
        config.load_incluster_config()
        found = client.ApiClient()
    else:
        found = config.new_client_from_config(given or "~/.kube/config", context=context)
    return found


def _owners(api: client.ApiClient) -> Iterator[tuple[str, str | None]]:
    rbac, admission = client.RbacAuthorizationV1Api(api), client.AdmissionregistrationV1Api(api)
    lists: dict[str, Callable[..., Any]] = {
        "Namespace": client.CoreV1Api(api).list_namespace,
        "CustomResourceDefinition": client.ApiextensionsV1Api(api).list_custom_resource_definition,
        "ClusterRole": rbac.list_cluster_role,
        "ClusterRoleBinding": rbac.list_cluster_role_binding,
        "MutatingWebhookConfiguration": admission.list_mutating_webhook_configuration,
        "ValidatingWebhookConfiguration": admission.list_validating_webhook_configuration,
    }
    for kind, every in lists.items():
        answer = every(_preload_content=False, _request_timeout=_TIMEOUT_SECONDS, _headers={"Accept": _METADATA})
        for item in json.loads(answer.data)["items"] or ():
            metadata = item["metadata"]
            yield f"{kind}/{metadata['name']}", (metadata.get("annotations") or {}).get(ANNOTATION)


def _api_server(api: client.ApiClient) -> list[str]:
    """Return the addresses of the Service ``default/kubernetes`` and of its endpoints, as CIDR.

    NetworkPolicies are judged before or after the Service's address is translated, depending on the network plug-in.
    """
    service = client.CoreV1Api(api).read_namespaced_service("kubernetes", "default", _request_timeout=_TIMEOUT_SECONDS)
    slices = client.DiscoveryV1Api(api).list_namespaced_endpoint_slice(
        "default", label_selector="kubernetes.io/service-name=kubernetes", _request_timeout=_TIMEOUT_SECONDS
    )
    endpoints = (address for item in slices.items for point in item.endpoints or () for address in point.addresses)
    own = (service.spec.cluster_ips or ()) if service.spec else ()
    found = {*own, *endpoints}
    return sorted(f"{address}/{128 if ':' in address else 32}" for address in found)

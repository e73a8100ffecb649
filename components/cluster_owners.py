"""Asks the cluster, before anything is made, who owns what the stack is about to make."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pulumi
import yaml
from kubernetes import client, config
from urllib3.exceptions import HTTPError

from components.chart import stack_owner
from model.ownership import ANNOTATION, faults
from model.settings import Settings, SettingsError

_TIMEOUT_SECONDS = (5, 30)
"""For the connection and for an answer."""

_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Has the API server leave out all but metadata, for CustomResourceDefinitions are large."""


def refuse_foreign(settings: Settings) -> None:
    """Fail if the cluster has namespaces or cluster-wide objects of others under the names of this stack's.

    Without a cluster, as in an offline preview, nothing is known and nothing refused. Raises pulumi.RunError, which the
    CLI prints without a traceback, naming every such object.
    """
    try:
        api = _api()
    except config.ConfigException as error:
        pulumi.log.info(f"ownership of namespaces and cluster-wide objects is not checked: {error}")
        return
    try:
        owners = dict(_owners(api))
    except (client.ApiException, HTTPError) as error:
        pulumi.log.warn(f"ownership of namespaces and cluster-wide objects is not checked: {_reason(error)}")
        return
    found = list(faults(settings, stack_owner(), owners))
    if found:
        raise pulumi.RunError(str(SettingsError(found)))


def _api() -> client.ApiClient:
    """Return a client of the cluster that Pulumi's Kubernetes provider uses by default."""
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
    api.set_default_header("Accept", _METADATA)
    for kind, every in lists.items():
        answer = every(_preload_content=False, _request_timeout=_TIMEOUT_SECONDS)
        for item in json.loads(answer.data)["items"] or ():
            metadata = item["metadata"]
            yield f"{kind}/{metadata['name']}", (metadata.get("annotations") or {}).get(ANNOTATION)


def _reason(error: Exception) -> str:
    return str(error.reason if isinstance(error, client.ApiException) else error)

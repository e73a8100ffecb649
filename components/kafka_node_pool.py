"""Node pools of a Kafka cluster."""

from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from kafka_on_istio.settings.kafka import NodePool, Storage, StorageType

from .manifest import custom_resource, merged, present
from .resources import ResourcesArgs


class StorageArgs(TypedDict):
    """Where the nodes of a pool keep their data."""

    type: pulumi.Input[str]
    """``persistent-claim``, or ``ephemeral``, which is lost with the pod."""
    size: NotRequired[pulumi.Input[str]]
    """Size of each node's volume, such as ``10Gi``; required for ``persistent-claim``."""
    storage_class: NotRequired[pulumi.Input[str]]
    """StorageClass of the volumes; the cluster's default if not set."""
    delete_claim: NotRequired[pulumi.Input[bool]]
    """Whether volumes are deleted with the pool; the operator's default, false, if not set."""


class NodePoolArgs(TypedDict):
    """Nodes of a cluster with the same roles, storage and resources."""

    name: str
    """Name of the pool."""
    roles: NotRequired[pulumi.Input[list[str]]]
    """``controller``, ``broker`` or both."""
    replicas: NotRequired[pulumi.Input[int]]
    """Number of nodes."""
    storage: NotRequired[StorageArgs]
    """Where the nodes keep their data."""
    resources: NotRequired[ResourcesArgs]
    """Requests and limits of each node's container."""
    spec: NotRequired[pulumi.Input[dict[str, Any]]]
    """Complete spec of an existing KafkaNodePool, in place of all inputs from ``roles`` to here."""
    labels: NotRequired[pulumi.Input[dict[str, str]]]
    """Additional labels of the KafkaNodePool."""
    annotations: NotRequired[pulumi.Input[dict[str, str]]]
    """Annotations of the KafkaNodePool."""


def create_node_pool(
    name: str,
    namespace: pulumi.Input[str],
    cluster_name: pulumi.Input[str],
    args: NodePoolArgs,
    opts: pulumi.ResourceOptions,
) -> CustomResource:
    """Create the KafkaNodePool of a cluster."""
    return custom_resource(
        name,
        {
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": "KafkaNodePool",
            "metadata": present(
                {
                    "name": args["name"],
                    "namespace": namespace,
                    "labels": merged(args.get("labels"), {"strimzi.io/cluster": cluster_name}),
                    "annotations": args.get("annotations"),
                }
            ),
            "spec": args.get("spec") or _spec(args),
        },
        opts=opts,
    )


def _spec(args: NodePoolArgs) -> dict[str, Any]:
    storage = args.get("storage")
    fields = {
        "replicas": args.get("replicas"),
        "roles": args.get("roles"),
        "storage": present(
            {
                "type": storage["type"],
                "size": storage.get("size"),
                "class": storage.get("storage_class"),
                "deleteClaim": storage.get("delete_claim"),
            }
        )
        if storage
        else None,
        "resources": args.get("resources"),
    }
    return present(fields)


def node_pool(pool: NodePool) -> NodePoolArgs:
    """Return the arguments of a declared pool."""
    args: NodePoolArgs = {
        "name": pool.name,
        "roles": [role.value for role in pool.roles],
        "replicas": pool.replicas,
        "storage": _storage(pool.storage),
    }
    if pool.resources:
        args["resources"] = {"requests": pool.resources.requests, "limits": pool.resources.limits}
    return args


def _storage(storage: Storage) -> StorageArgs:
    args: StorageArgs = {"type": storage.type.value}
    if storage.type is StorageType.PERSISTENT:
        args["delete_claim"] = bool(storage.delete_claim)
        if storage.size:
            args["size"] = storage.size
        if storage.class_:
            args["storage_class"] = storage.class_
    return args

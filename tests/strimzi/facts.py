"""What counts of Kubernetes objects when the stand-in is held against Strimzi's real operators.

Left out is what the API server adds, what is random, and what nothing outside of the operators can see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Facts = dict[str, Any]
Object = Mapping[str, Any]

_STRIMZIS = ("kafka", "kafka-init", "topic-operator", "user-operator", "strimzi-cluster-operator")
"""Containers that are not a sidecar's."""


def facts(item: Object) -> Facts:
    """Return the facts of an object."""
    metadata = item["metadata"]
    found: Facts = {"labels": _labels(metadata.get("labels") or {})}
    annotations = _annotations(metadata.get("annotations") or {})
    if annotations:
        found["annotations"] = annotations
    owners = [f"{it['kind']}/{it['name']}" for it in metadata.get("ownerReferences") or []]
    if owners:
        found["owners"] = owners
    return found | _OF_KINDS.get(item["kind"], lambda _: {})(item)


def by_name(items: Iterable[Object]) -> dict[str, Facts]:
    """Return the facts of objects by ``Kind name``."""
    return {f"{item['kind']} {item['metadata']['name']}": facts(item) for item in items}


def differences(expected: object, found: object, path: str = "") -> dict[str, tuple[object, object]]:
    """Return what is not the same, by its path: what was expected, and what was found."""
    if not isinstance(expected, Mapping) or not isinstance(found, Mapping):
        return {} if expected == found else {path: (expected, found)}
    result = {}
    for key in sorted({*expected, *found}):
        result |= differences(expected.get(key), found.get(key), f"{path} > {key}" if path else str(key))
    return result


def _labels(labels: Mapping[str, str]) -> Facts:
    """Return labels, those that Strimzi gives to all that it makes as two: component and workload."""
    component, workload = labels.get("strimzi.io/component-type", ""), labels.get("strimzi.io/name", "")
    cluster = labels.get("strimzi.io/cluster", "")
    usual = {
        "app.kubernetes.io/name": component,
        "app.kubernetes.io/instance": cluster,
        "app.kubernetes.io/managed-by": "strimzi-cluster-operator",
        "app.kubernetes.io/part-of": f"strimzi-{cluster}",
        "strimzi.io/cluster": cluster,
        "strimzi.io/component-type": component,
        "strimzi.io/kind": "Kafka",
        "strimzi.io/name": workload,
    }
    if not component or labels | usual != labels:
        return _but_istios(labels)
    rest = {key: value for key, value in labels.items() if key not in usual}
    return {"component": component, "workload": workload, **_but_istios(rest)}


def _but_istios(labels: Mapping[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in sorted(labels.items())
        if key.partition("/")[0] not in ("security.istio.io", "service.istio.io") and key != "pod-template-hash"
    }


def _annotations(annotations: Mapping[str, str]) -> dict[str, bool]:
    return _there(key for key in annotations if key.partition("/")[0] == "strimzi.io")


def _there(keys: Iterable[str]) -> dict[str, bool]:
    return dict.fromkeys(sorted(keys), True)


def _config_map(item: Object) -> Facts:
    data = item.get("data") or {}
    lines = [it for it in data.get("server.config", "").splitlines() if it and not it.startswith("#")]
    found: Facts = {"keys": _there(data)}
    return found | (
        {"settings": {key: value for key, _, value in (it.partition("=") for it in lines)}} if lines else {}
    )


def _secret(item: Object) -> Facts:
    return {"keys": _there(item.get("data") or {}), "type": item["type"]}


def _service(item: Object) -> Facts:
    spec = item["spec"]
    return {
        "ports": {it["name"]: [it["port"], it["targetPort"]] for it in spec["ports"]},
        "selector": spec["selector"],
        "headless": spec.get("clusterIP") == "None",
        "publishNotReadyAddresses": spec.get("publishNotReadyAddresses", False),
    }


def _specification(item: Object) -> Facts:
    return {"spec": item["spec"]}


def _role(item: Object) -> Facts:
    return {"rules": [{key: sorted(values) for key, values in rule.items()} for rule in item["rules"]]}


def _binding(item: Object) -> Facts:
    subjects = [f"{it['kind']} {it['name']}" for it in item["subjects"]]
    return {"role": f"{item['roleRef']['kind']} {item['roleRef']['name']}", "subjects": subjects}


def _pod(item: Object) -> Facts:
    spec = item["spec"]
    found: Facts = {
        key: spec[key]
        for key in ("serviceAccountName", "automountServiceAccountToken", "hostname", "subdomain", "affinity")
        if key in spec
    }
    spread = spec.get("topologySpreadConstraints") or []
    return found | {
        "securityContext": spec.get("securityContext") or {},
        "terminationGracePeriodSeconds": spec["terminationGracePeriodSeconds"],
        "spread": [[it["topologyKey"], it["maxSkew"], it["whenUnsatisfiable"]] for it in spread],
        "volumes": {
            it["name"]: _volume(it)
            for it in spec["volumes"]
            if not it["name"].startswith(("istio", "workload", "credential"))
        },
        "containers": {
            it["name"]: _container(it)
            for it in [*(spec.get("initContainers") or []), *spec["containers"]]
            if it["name"] in _STRIMZIS
        },
    }


def _volume(volume: Object) -> str:
    (kind,) = (key for key in volume if key != "name")
    source = volume[kind]
    details = {
        "configMap": lambda: source["name"],
        "persistentVolumeClaim": lambda: source["claimName"],
        "emptyDir": lambda: " ".join(filter(None, (source.get("medium"), source.get("sizeLimit")))),
        "projected": lambda: ", ".join(key for it in source["sources"] for key in it),
    }
    return f"{kind} {details[kind]()}".strip()


def _container(container: Object) -> Facts:
    env = {it["name"]: it.get("value") or _reference(it) for it in container.get("env") or []}
    probes = {key: container[key] for key in ("startupProbe", "livenessProbe", "readinessProbe") if key in container}
    return {
        "image": container["image"],
        "args": container["args"],
        "env": env,
        "ports": {it["name"]: it["containerPort"] for it in container.get("ports") or []},
        "mounts": {it["mountPath"].rstrip("/"): it["name"] for it in container["volumeMounts"]},
        "probes": {key: _action(probe) for key, probe in probes.items()},
        "resources": container.get("resources") or {},
        "securityContext": container.get("securityContext") or {},
    }


def _reference(variable: Object) -> str:
    return str(((variable.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath", ""))


def _action(probe: Object) -> str:
    if "exec" in probe:
        return " ".join(probe["exec"]["command"])
    return f"{probe['httpGet']['port']} {probe['httpGet']['path']}"


def _deployment(item: Object) -> Facts:
    spec = item["spec"]
    template = spec["template"]
    return {
        "replicas": spec["replicas"],
        "strategy": spec["strategy"]["type"],
        "selector": spec["selector"]["matchLabels"],
        "template": {
            "labels": _labels(template["metadata"]["labels"]),
            "annotations": _annotations(template["metadata"].get("annotations") or {}),
            **_pod(template),
        },
    }


def _custom(item: Object) -> Facts:
    status = item.get("status") or {}
    conditions = [
        {key: it[key] for key in ("type", "status", "reason", "message") if key in it} for it in status["conditions"]
    ]
    given = ("listeners", "kafkaVersion", "kafkaMetadataVersion", "kafkaNodePools", "topicName", "secret", "username")
    of_pools = ("nodeIds", "roles", "replicas", "labelSelector")
    return {"conditions": conditions} | {key: status[key] for key in (*given, *of_pools) if key in status}


_OF_KINDS = {
    "ConfigMap": _config_map,
    "Secret": _secret,
    "Service": _service,
    "NetworkPolicy": _specification,
    "PodDisruptionBudget": _specification,
    "Role": _role,
    "RoleBinding": _binding,
    "Pod": _pod,
    "Deployment": _deployment,
    "Kafka": _custom,
    "KafkaNodePool": _custom,
    "KafkaTopic": _custom,
    "KafkaUser": _custom,
}

"""When an object counts as ready. Pure, but for the loop that asks."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from lab.engine.kubernetes.objects import SKIP_AWAIT, WAIT_FOR, annotation, group_of
from lab.engine.provider import ProviderError
from lab.engine.values import Properties

DEFAULT_TIMEOUT: Final = 600.0
"""Seconds until an await gives up, unless the resource says otherwise."""

_CONDITION: Final = re.compile(r"condition=([\w./-]+)(?:=(\w+))?", re.IGNORECASE)
_JSONPATH: Final = re.compile(r"jsonpath=\{?\.?([\w\-.\[\]]+)\}?(?:=(.+))?")


class NeverReadyError(Exception):
    """The object will not become ready by waiting; the message says why."""


async def until(ask: Callable[[], Awaitable[str | None]], timeout: float, report: Callable[[str], None]) -> str | None:  # noqa: ASYNC109
    """Ask, less and less often, until nothing is pending.

    :param ask: returns what is still pending.
    :param timeout: in seconds.
    :returns: what was still pending when time ran out, else None.
    """
    deadline = time.monotonic() + timeout
    delay, shown = 0.05, ""
    while True:
        pending = await ask()
        if pending is None:
            return None
        if pending != shown:
            report(pending)
            shown = pending
        left = deadline - time.monotonic()
        if left <= 0:
            return pending
        await asyncio.sleep(min(delay, left))
        delay = min(delay * 1.6, 1.5)


def has_await(inputs: Properties) -> bool:
    """Tell whether creating or updating an object waits for anything."""
    if annotation(inputs, SKIP_AWAIT) == "true":
        return False
    return annotation(inputs, WAIT_FOR) is not None or (group_of(inputs["apiVersion"]), inputs["kind"]) in _CHECKS


def check_wait_for(inputs: Properties) -> None:
    """Refuse a ``pulumi.com/waitFor`` that cannot be understood.

    :raises ProviderError: naming it and what is allowed.
    """
    for expression in _expressions(inputs):
        if not _CONDITION.fullmatch(expression) and not _JSONPATH.fullmatch(expression):
            raise ProviderError(
                f"{inputs.get('kind')}: annotation {WAIT_FOR} is {expression!r}; allowed are"
                " condition=NAME, condition=NAME=STATUS, jsonpath={.path.to.field},"
                " jsonpath={.path.to.field}=VALUE"
                " (keys and [index] only) and a JSON list of these"
            )


def _expressions(inputs: Properties) -> list[str]:
    text = annotation(inputs, WAIT_FOR)
    if text is None:
        return []
    try:
        several = json.loads(text)
    except ValueError:
        return [text]
    return [str(item) for item in several] if isinstance(several, list) else [text]


def pending(inputs: Properties, live: Properties) -> str | None:
    """Return what keeps the object from being ready, or None.

    A Service's endpoints are ``pending_endpoints``' matter.

    :raises NeverReadyError: if waiting is in vain.
    """
    expressions = _expressions(inputs)
    if expressions:
        return _pending_expressions(live, expressions)
    check = _CHECKS.get((group_of(inputs["apiVersion"]), inputs["kind"]))
    return check(live) if check else None


def _pending_expressions(live: Properties, expressions: list[str]) -> str | None:
    status = live.get("status") or {}
    observed = status.get("observedGeneration")
    generation = live["metadata"].get("generation", 0)
    if observed is not None and observed < generation:
        return f"waits for generation {generation} to be observed"
    for expression in expressions:
        condition = _CONDITION.fullmatch(expression)
        if condition:
            wanted = (condition[2] or "True").lower()
            actual = _condition(live, condition[1])
            if str(actual.get("status", "")).lower() == wanted:
                continue
            return f"waits for condition {condition[1]}" + _said(actual or _condition(live, "NotReady"))
        path = _JSONPATH.fullmatch(expression)
        found = _lookup(live, path[1]) if path else None
        if found is None or (path and path[2] is not None and _text(found) != path[2]):
            return f"waits for {expression}" + ("" if found is None else f" (now {_text(found)})")
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _lookup(value: Any, path: str) -> Any:
    for key, index in re.findall(r"([\w-]+)|\[(\d+)\]", path):
        if key:
            value = value.get(key) if isinstance(value, dict) else None
        else:
            value = value[int(index)] if isinstance(value, list) and int(index) < len(value) else None
    return value


def _condition(live: Properties, name: str) -> Properties:
    conditions = (live.get("status") or {}).get("conditions") or []
    return next((item for item in conditions if str(item.get("type", "")).lower() == name.lower()), {})


def _said(condition: Properties) -> str:
    """Return a condition in words, to follow what is waited for."""
    if not condition:
        return ""
    words = ": ".join(str(condition[key]) for key in ("reason", "message") if condition.get(key))
    return f" ({condition['type']}={condition.get('status')}{f': {words}' if words else ''})"


def _observed(live: Properties) -> bool:
    generation: int = live["metadata"].get("generation", 0)
    observed: int = (live.get("status") or {}).get("observedGeneration", 0)
    return observed >= generation


def _deployment(live: Properties) -> str | None:
    if not _observed(live):
        return "waits for the Deployment controller"
    progressing = _condition(live, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        raise NeverReadyError(f"the rollout made no progress{_said(progressing)}")
    return _rollout(live, "updatedReplicas", "availableReplicas")


def _stateful_set(live: Properties) -> str | None:
    if not _observed(live):
        return "waits for the StatefulSet controller"
    if ((live["spec"].get("updateStrategy") or {}).get("type")) == "OnDelete":
        return _rollout(live, "readyReplicas")
    return _rollout(live, "updatedReplicas", "readyReplicas")


def _rollout(live: Properties, *counts: str) -> str | None:
    wanted = live["spec"].get("replicas", 1)
    status = live.get("status") or {}
    least = min(status.get(count, 0) for count in counts)
    if least < wanted:
        return f"waits for pods: {least} of {wanted} updated and ready"
    surplus = status.get("replicas", 0) - wanted
    return f"waits for {surplus} old pods to end" if surplus > 0 else None


def _daemon_set(live: Properties) -> str | None:
    status = live.get("status") or {}
    if not _observed(live):
        return "waits for the DaemonSet controller"
    wanted = status.get("desiredNumberScheduled", 0)
    ready = min(status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0))
    return f"waits for pods: {ready} of {wanted} updated and ready" if ready < wanted else None


def _pod(live: Properties) -> str | None:
    phase = (live.get("status") or {}).get("phase")
    if phase == "Failed":
        raise NeverReadyError("; ".join(pod_faults([live])) or "the Pod failed")
    ready = _condition(live, "Ready")
    if phase == "Succeeded" or ready.get("status") == "True":
        return None
    return "; ".join(pod_faults([live])) or f"waits for condition Ready{_said(ready)}"


def _job(live: Properties) -> str | None:
    failed = _condition(live, "Failed")
    if failed.get("status") == "True":
        raise NeverReadyError(f"the Job failed{_said(failed)}")
    if _condition(live, "Complete").get("status") == "True" or live["spec"].get("suspend"):
        return None
    return "waits for the Job to complete"


def _definition(live: Properties) -> str | None:
    refused = _condition(live, "NamesAccepted")
    if refused.get("status") == "False":
        raise NeverReadyError(f"its names are taken{_said(refused)}")
    established = _condition(live, "Established")
    return None if established.get("status") == "True" else f"waits for condition Established{_said(established)}"


def _service(live: Properties) -> str | None:
    if live["spec"].get("type") != "LoadBalancer":
        return None
    ingress = ((live.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    return None if ingress else "waits for the load balancer's address"


_CHECKS: Final[dict[tuple[str, str], Callable[[Properties], str | None]]] = {
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): _job,
}


def needs_endpoints(inputs: Properties, live: Properties) -> bool:
    """Tell whether a Service is ready only once a pod answers for it; headless ones never ask for one."""
    if (inputs["apiVersion"], inputs["kind"]) != ("v1", "Service") or annotation(inputs, WAIT_FOR) is not None:
        return False
    spec = live["spec"]
    return bool(spec.get("selector")) and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None"


def pending_endpoints(slices: Sequence[Properties]) -> str | None:
    """Return what keeps a Service with these EndpointSlices from being ready."""
    ready = any(
        (endpoint.get("conditions") or {}).get("ready", True)
        for item in slices
        for endpoint in item.get("endpoints") or ()
    )
    return None if ready else "waits for a pod behind the Service to be ready"


def pod_faults(pods: Sequence[Properties]) -> list[str]:
    """Return in words, each once, why pods do not run."""
    found: dict[str, None] = {}
    for pod in pods:
        status = pod.get("status") or {}
        scheduled = _condition(pod, "PodScheduled")
        if scheduled.get("status") == "False":
            found[f"a pod cannot be scheduled: {scheduled.get('message') or scheduled.get('reason')}"] = None
        for container in [
            *(status.get("initContainerStatuses") or ()),
            *(status.get("containerStatuses") or ()),
        ]:
            for state in (container.get("state") or {}).values():
                reason = state.get("reason")
                if reason and reason not in ("ContainerCreating", "PodInitializing", "Completed"):
                    message = f": {state['message']}" if state.get("message") else ""
                    found[f"container {container['name']}: {reason}{message}"] = None
    return list(found)


def deletion_obstacles(live: Properties) -> str:
    """Return in words what an object that is being deleted waits for."""
    metadata = live["metadata"]
    remaining = [
        str(item.get("message"))
        for item in (live.get("status") or {}).get("conditions") or ()
        if live["kind"] == "Namespace" and item.get("status") == "True" and item.get("message")
    ]
    finalizers = [*(metadata.get("finalizers") or ()), *((live.get("spec") or {}).get("finalizers") or ())]
    named = f"finalizers {', '.join(map(str, finalizers))}" if finalizers else "its own end"
    return "waits for " + "; ".join(remaining or [named])

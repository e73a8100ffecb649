"""Runs an operator: kopf watches resources, and a queue reconciles one key after another."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import kopf
from lightkube import ConfigError, KubeConfig

from lab.errors import LabError
from lab.strimzi import health
from lab.strimzi.kubernetes import Kubernetes, address, quiet
from lab.strimzi.work_queue import Queue

Key = TypeVar("Key", bound=Hashable)

_LOG: Final = logging.getLogger(__name__)
_RETRY: Final = 1.0
"""Seconds until what is not served yet is asked for again."""


@dataclass(frozen=True)
class Watch:
    """A kind of objects to watch.

    ``seen`` is given each that is there, changed or goes, and returns the keys of what it is about.
    """

    kind: str
    labels: Mapping[str, str | None]
    """Labels that the objects must have; any value will do where it is None."""
    seen: Callable[[Mapping[str, Any]], Sequence[Hashable]]


def run(
    kubernetes: Kubernetes,
    watches: Sequence[Watch],
    reconcile: Callable[[Any], float | None],
    namespaces: Sequence[str],
    port: int,
    always: Sequence[Hashable] = (),
) -> None:
    """Run an operator until it is told to stop.

    :param reconcile: one pass for one key, as Queue calls it.
    :param namespaces: which to watch; ``*`` is all.
    :param port: where probes find out that it runs, ``/healthy``, and that it watches, ``/ready``.
    :param always: keys to look at from the start.
    :raises LabError: if nothing says how the API server is reached.
    """
    try:
        KubeConfig.from_env()
    except ConfigError as error:
        message = f"no service account and no kubeconfig: {error}; run it in a Pod, or set KUBECONFIG"
        raise LabError(message) from error
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stdout)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    quiet()
    ready = health.serve(port)
    _wait(kubernetes, [watch.kind for watch in watches], namespaces)
    ready.set()
    registry = kopf.OperatorRegistry()
    queue = Queue(reconcile)
    for watch in watches:
        _register(registry, watch, queue)

    working: list[asyncio.Task[None]] = []

    async def start(**_: Any) -> None:
        working.append(asyncio.create_task(queue.run()))
        for key in always:
            queue.enqueue(key)

    async def stop(**_: Any) -> None:
        working[0].cancel()

    kopf.on.login(registry=registry)(_login)
    kopf.on.startup(registry=registry)(start)
    kopf.on.cleanup(registry=registry)(stop)
    kopf.run(
        registry=registry,
        settings=_settings(),
        clusterwide="*" in namespaces,
        namespaces=[] if "*" in namespaces else list(namespaces),
        standalone=True,
    )


def _wait(kubernetes: Kubernetes, kinds: Sequence[str], namespaces: Sequence[str]) -> None:
    """Wait until every kind is served and may be listed: kopf looks for that once, and never again.

    Strimzi's own operator ends, and is started again.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    said = ""
    for kind in kinds:
        for namespace in namespaces:
            while why := kubernetes.refused(kind, namespace):
                if why != said:
                    _LOG.warning("waiting for %s in namespace %s: %s", kind, namespace, why)
                    said = why
                time.sleep(_RETRY)


def _login(**arguments: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    # The kinds that are watched are there from the start, and to look out for others takes rights over the cluster.
    settings.scanning.disabled = True
    # Nothing is told to end a watch when a connection is lost without a word.
    settings.watching.server_timeout = 300
    return settings


def _register(registry: kopf.OperatorRegistry, watch: Watch, queue: Queue[Any]) -> None:
    labels = {key: kopf.PRESENT if value is None else value for key, value in watch.labels.items()}

    # An event handler, unlike kopf's others, leaves neither finalizers nor annotations on the objects.
    async def seen(body: kopf.Body, **_: Any) -> None:
        for key in watch.seen(body):
            queue.enqueue(key)

    kopf.on.event(*address(watch.kind), labels=labels, registry=registry)(seen)

"""Watches one lab: reads its counts and its report, and serves the page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from kafka_on_istio.access.model import AccessModel, Role
from lab.cluster import Cluster
from lab.node.images import PYTHON
from lab.watch.consumer import Consumer
from lab.watch.follower import Follower
from lab.watch.graph import graph
from lab.watch.proxies import Proxies
from lab.watch.server import serve
from lab.watch.watch import Watch

_READER: Final = Path(__file__).parent / "reader.py"
_PATIENCE: Final = 30.0


def run(
    lab: str,
    model: AccessModel,
    cluster: Cluster,
    port: int,
    say: Callable[[str], None],
) -> None:
    """Serve the page of a lab until SIGINT or SIGTERM.

    :param port: 0 selects a free one.
    :param say: prints the URL.
    :raises LabError: if the stack has no consumer, or the port cannot be had.
    """
    consumer = Consumer.of(model)
    proxies = Proxies({workload.principal: workload.id for workload in model.workloads})
    watch = Watch(lab, graph(model), proxies)
    source = _READER.read_bytes()
    program = f"import sys; exec(sys.stdin.buffer.read({len(source)}))"
    counts = cluster.command(*consumer.exec(PYTHON, "-c", program))
    report = cluster.command(*consumer.logs(follow=True))
    followers = {
        "no live counts": Follower(counts, lambda line: watch.count(line, time.monotonic()), source, _PATIENCE),
        "no report": Follower(report, watch.report.take),
    }
    logs = []
    for workload in model.workloads:
        if workload.sidecar and workload.role is Role.SERVICE:
            labels = ",".join(f"{name}={value}" for name, value in workload.labels.items())
            follow = ("logs", "-f", "-l", labels, "-c", "istio-proxy", "--tail=0", "--max-log-requests=20")
            log = cluster.command("-n", workload.namespace, *follow)
            logs.append(Follower(log, partial(proxies.take, workload.id)))
    asyncio.run(serve(watch, followers, logs, port, say))

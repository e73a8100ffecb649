"""The consumer: reads the other services' calls, and reports how many of each kind there were."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import uvloop

from services import log, metrics, tracing
from services.caller import Caller
from services.environment import Environment
from services.report import Windows
from services.reporter import Reporter, Reporting
from services.server import Server
from services.service import Common, common, serve
from services.settings import login
from services.window_count import WindowCount

_FORMATS: Final[Mapping[str, Callable[[WindowCount], bytes]]] = {
    "text": lambda count: count.text().encode(),
    "json": WindowCount.json,
}


def reporting(environment: Environment) -> Reporting:
    """Read the settings of the report.

    KAFKA_TOPIC and KAFKA_WRITERS may be missing, KAFKA_TRANSACTIONAL_ID is the group's name by default, and
    WINDOW_IDLE_SECONDS window and grace together: then no call that is sent when it is made is late because of it.
    """
    size = environment.integer("WINDOW_SECONDS", 300, 1, 86_400)
    grace = environment.seconds("WINDOW_GRACE_SECONDS", 60, 0, 86_400)
    group = environment.text("KAFKA_GROUP_ID")
    return Reporting(
        login=login(environment),
        topics=environment.topics("KAFKA_TOPICS"),
        group=group,
        topic=environment.topic("KAFKA_TOPIC") if environment.has("KAFKA_TOPIC") else None,
        transactional_id=environment.text("KAFKA_TRANSACTIONAL_ID", group),
        windows=Windows(
            size=size * 1000,
            grace=round(grace * 1000),
            idle=round(environment.seconds("WINDOW_IDLE_SECONDS", size + grace, 0.1, 604_800) * 1000),
        ),
        writers=environment.writers("KAFKA_WRITERS"),
        line=_FORMATS.get(environment.choice("REPORT_FORMAT", "text", tuple(_FORMATS)), WindowCount.json),
    )


def main(program: str, variables: Mapping[str, str]) -> int:
    """Run the consumer until a stop signal, and return its exit code. The report is on stdout, the log on stderr.

    :raises StartError: if it cannot start.
    """
    environment = Environment(variables)
    settings, answering = reporting(environment), common(environment, program, logs=False)
    environment.check()
    log.set_up(sys.stderr)
    # A batch is thousands of objects that are in no cycle: to look for some doubles the time of getting it.
    gc.set_threshold(100_000)
    # It stops at once: what it reads waits in Kafka.
    at_once = replace(answering, listening=replace(answering.listening, stop_delay=0))
    return uvloop.run(_run(settings, at_once))


async def _run(settings: Reporting, answering: Common) -> int:
    registry = metrics.new_registry()
    # A line is written as a whole: of one that a kill cut off, the rest would be another line.
    reporter = Reporter(settings, registry, lambda line: os.write(sys.stdout.fileno(), line))
    server = Server(answering.listening, registry, lambda: reporter.obstacle)
    # Its spans go nowhere; the trace goes on in the services that it calls.
    me = answering.identity
    traces = tracing.set_up(me.trace_name, me.version, me.host, "")
    serving = asyncio.create_task(serve(server, answering, lambda tools: Caller(me, tools), traces.tracer, registry))
    working = asyncio.create_task(asyncio.to_thread(reporter.run))
    await asyncio.wait((serving, working), return_when=asyncio.FIRST_COMPLETED)
    reporter.stop()
    await working
    await serving
    return 0

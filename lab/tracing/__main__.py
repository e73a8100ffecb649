"""``python -m lab.tracing``: receive traces by OTLP over gRPC, and show them over HTTP on the port of Jaeger's page."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import grpc
from aiohttp import web
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from lab.tracing import OTLP_PORT, QUERY_PORT
from lab.tracing.store import Store, spans


class Receiver(trace_service_pb2_grpc.TraceServiceServicer):
    """The OTLP service."""

    def __init__(self, store: Store) -> None:
        """:param store: where spans go."""
        self._store = store

    async def Export(  # noqa: N802 the protocol's name
        self, request: ExportTraceServiceRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> ExportTraceServiceResponse:
        """Store spans."""
        self._store.add(spans(request.resource_spans))
        return ExportTraceServiceResponse()


async def serve() -> None:
    """Serve until a signal."""
    store = Store()
    receiver = grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Receiver(store), receiver)  # type: ignore[no-untyped-call]
    receiver.add_insecure_port(f"0.0.0.0:{OTLP_PORT}")
    await receiver.start()

    async def show(request: web.Request) -> web.Response:
        return web.json_response(store.trace(request.match_info.get("trace")))

    app = web.Application()
    app.router.add_get("/traces/last", show)
    app.router.add_get("/traces/{trace}", show)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", QUERY_PORT).start()  # noqa: S104 the pod's own network
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    await runner.cleanup()
    await receiver.stop(1)


if __name__ == "__main__":
    asyncio.run(serve())

"""The health endpoint of an operator's container: whether it runs, and whether its watches are established."""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(port: int) -> threading.Event:
    """Answer probes until the process ends; return the event by which the operator says that it is ready.

    :raises OSError: if the port is taken.
    """
    ready = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            well = self.path == "/healthy" or (self.path == "/ready" and ready.is_set())
            self.send_response(HTTPStatus.NO_CONTENT if well else HTTPStatus.SERVICE_UNAVAILABLE)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 as the base class has it
            """Probes are nothing to log."""

    threading.Thread(target=ThreadingHTTPServer(("", port), Handler).serve_forever, daemon=True).start()
    return ready

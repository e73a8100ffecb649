"""The plugin as Pulumi runs it: a process that says its port and serves gRPC."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

FOLDER: Final = Path(__file__).parents[2] / "plugin"
SCHEMA: Final = FOLDER / "schema.json"
"""What the plugin offers, for reviewers and for ``pulumi package gen-sdk``."""


class PluginError(Exception):
    """The plugin did not start; the message is what it said."""


@contextmanager
def running(engine: str = "127.0.0.1:1") -> Iterator[provider_pb2_grpc.ResourceProviderStub]:
    """Run the plugin from a folder that has nothing to do with it, and yield a client of it.

    :param engine: address of the engine that it is to log to; by default nobody, who asks for the schema needs none.
    :raises PluginError: if it does not start.
    """
    command = [sys.executable, str(FOLDER), engine]
    with subprocess.Popen(  # noqa: S603
        command, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said: list[str] = []
        listener = threading.Thread(target=lambda: said.extend(process.stderr or ()))
        listener.start()
        try:
            port = process.stdout.readline().strip()
            if not port.isdigit():
                process.wait()
                listener.join()
                raise PluginError("".join(said))
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield provider_pb2_grpc.ResourceProviderStub(channel)
        finally:
            process.kill()
            listener.join()


def schema() -> dict[str, Any]:
    """Return the schema that the plugin gives: ``{name, version, resources, types, ...}``.

    :raises PluginError: if it does not start.
    """
    with running() as provider:
        answer = provider.GetSchema(provider_pb2.GetSchemaRequest(), timeout=60)
    found: dict[str, Any] = json.loads(answer.schema)
    return found


def text(found: dict[str, Any]) -> str:
    """Return a schema as it is kept."""
    return json.dumps(found, indent=2, sort_keys=True) + "\n"

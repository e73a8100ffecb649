"""The part of the kubelet's API that ``kubectl logs`` and ``kubectl exec`` reach through the API server."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import pty
import ssl
import termios
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

import orjson
from aiohttp import WSMsgType, web

from lab.node.container import Container
from lab.node.pod import PodWorker
from lab.node.status import Terminated

PORT: Final = 10250
_CHUNK: Final = 1 << 16
_PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255
"""Channels of Kubernetes' remote command protocol (k8s.io/apimachinery, util/remotecommand)."""

Find = Callable[[str, str], PodWorker | None]
"""Returns the pod of a namespace and a name, if it is here."""

Start = Callable[..., Awaitable[asyncio.subprocess.Process]]
"""Starts a command with the streams that ``asyncio.create_subprocess_exec`` takes."""


def application(find: Find) -> web.Application:
    """Return the API: ``/containerLogs`` and ``/exec``."""

    def asked(request: web.Request) -> tuple[PodWorker, Container]:
        info = request.match_info
        pod = find(info["namespace"], info["pod"])
        if pod is None:
            raise web.HTTPNotFound(text=f"pod {info['namespace']}/{info['pod']} is not on this node\n")
        container = next((item for item in pod.containers if item.record.name == info["container"]), None)
        if container is None:
            raise web.HTTPNotFound(text=f"pod {pod.name} has no container {info['container']}\n")
        return pod, container

    async def logs(request: web.Request) -> web.StreamResponse:
        pod, container = asked(request)
        record, query = container.record, request.query
        for name in ("timestamps", "sinceSeconds", "sinceTime"):
            if query.get(name) not in (None, "", "false"):
                raise web.HTTPBadRequest(text=f"{name}: the lab's node keeps no times of log lines; leave it out\n")
        attempt = record.attempt - (1 if query.get("previous") == "true" else 0)
        path = container.folder / str(attempt) / "log"
        if attempt < 0 or not path.exists():
            which = "previous terminated container" if attempt < record.attempt else "container"
            raise web.HTTPBadRequest(text=f"{which} {record.name} in pod {pod.name} has no log\n")

        def over() -> bool:
            return record.attempt != attempt or isinstance(record.state, Terminated) or pod.ended.is_set()

        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        last = int(query["tailLines"]) if query.get("tailLines") else None
        limit = int(query["limitBytes"]) if query.get("limitBytes") else None
        async for part in follow(path, last, limit, over if query.get("follow") == "true" else None):
            await response.write(part)
        return response

    async def execute(request: web.Request) -> web.StreamResponse:
        _, container = asked(request)
        words = request.query.getall("command", [])
        if not words:
            raise web.HTTPBadRequest(text="no command\n")
        terminal = request.query.get("tty") in ("1", "true")
        socket = web.WebSocketResponse(protocols=_PROTOCOLS)
        if not socket.can_prepare(request):
            raise web.HTTPBadRequest(text="exec is by WebSocket here (v4 or v5.channel.k8s.io), not by SPDY\n")
        await socket.prepare(request)
        start = functools.partial(container.run, words, terminal=terminal)
        await _run(socket, start, terminal=terminal, reads=request.query.get("input") in ("1", "true"))
        return socket

    app = web.Application()
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", logs)
    for path in ("/exec/{namespace}/{pod}/{container}", "/exec/{namespace}/{pod}/{uid}/{container}"):
        app.router.add_route("*", path, execute)
    return app


async def follow(
    path: Path, last: int | None, limit: int | None, over: Callable[[], bool] | None
) -> AsyncIterator[bytes]:
    """Yield a log from its ``last`` lines on, at most ``limit`` bytes; then, until it is over, what comes.

    :param over: tells whether no more will come; None to stop at the end.
    """
    with path.open("rb") as file:
        if last is not None:
            file.seek(_start_of_last(file.read(), last))
        sent = 0
        while limit is None or sent < limit:
            ended = over is None or over()
            part = file.read(_CHUNK if limit is None else min(_CHUNK, limit - sent))
            if part:
                sent += len(part)
                yield part
            elif ended:
                return
            else:
                await asyncio.sleep(0.1)


def _start_of_last(content: bytes, lines: int) -> int:
    position = len(content) - (1 if content.endswith(b"\n") else 0)
    for _ in range(lines):
        position = content.rfind(b"\n", 0, position)
        if position < 0:
            return 0
    return position + 1


async def _run(socket: web.WebSocketResponse, start: Start, *, terminal: bool, reads: bool) -> None:
    """Run a command and carry its streams over the channels of a WebSocket."""
    write: Callable[[bytes], None]
    resize: Callable[[bytes], None]
    if terminal:
        leader, follower = pty.openpty()
        process = await start(stdin=follower, stdout=follower, stderr=follower, start_new_session=True)
        os.close(follower)
        write, resize = _writer(leader), functools.partial(_resize, leader)
        outputs = [asyncio.create_task(_from_terminal(socket, leader))]
    else:
        process = await start(
            stdin=asyncio.subprocess.PIPE if reads else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        write, resize = _stdin(process), _ignore
        outputs = [
            asyncio.create_task(_from_pipe(socket, stream, channel))
            for channel, stream in ((_STDOUT, process.stdout), (_STDERR, process.stderr))
            if stream is not None
        ]
    inputs = asyncio.create_task(_inputs(socket, write, resize))
    try:
        code = await process.wait()
        await asyncio.gather(*outputs)
        await socket.send_bytes(bytes([_ERROR]) + orjson.dumps(_outcome(code)))
        await socket.close()
    except ConnectionError:
        process.kill()
    finally:
        inputs.cancel()
        if terminal:
            os.close(leader)


def _outcome(code: int) -> dict[str, object]:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _stdin(process: asyncio.subprocess.Process) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        if process.stdin is None:
            return
        if data:
            process.stdin.write(data)
        else:
            process.stdin.close()

    return write


def _writer(descriptor: int) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        with contextlib.suppress(OSError):
            # The end of input is what a terminal says by Ctrl-D.
            os.write(descriptor, data or b"\x04")

    return write


def _resize(descriptor: int, size: bytes) -> None:
    wanted = orjson.loads(size)
    termios.tcsetwinsize(descriptor, (wanted["Height"], wanted["Width"]))


def _ignore(_: bytes) -> None:
    """Take the size of a terminal that is not there."""


async def _inputs(
    socket: web.WebSocketResponse, write: Callable[[bytes], None], resize: Callable[[bytes], None]
) -> None:
    async for message in socket:
        if message.type is not WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel == _STDIN and data:
            write(data)
        elif channel == _RESIZE:
            resize(data)
        elif channel == _CLOSE and data[:1] == bytes([_STDIN]):
            write(b"")
    write(b"")


async def _from_pipe(socket: web.WebSocketResponse, stream: asyncio.StreamReader, channel: int) -> None:
    while data := await stream.read(_CHUNK):
        await socket.send_bytes(bytes([channel]) + data)


async def _from_terminal(socket: web.WebSocketResponse, descriptor: int) -> None:
    while True:
        try:
            data = await asyncio.to_thread(os.read, descriptor, _CHUNK)
        except OSError:
            return
        if not data:
            return
        await socket.send_bytes(bytes([_STDOUT]) + data)


async def serve(find: Find, address: str, certificates: Path) -> web.AppRunner:
    """Serve the API over TLS to whoever has a certificate of the lab's authority.

    :raises OSError: if the port is taken.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates / "ca.crt"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificates / "kubelet.crt", certificates / "kubelet.key")
    runner = web.AppRunner(application(find), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, address, PORT, ssl_context=context).start()
    return runner

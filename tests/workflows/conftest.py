"""The workflows as they are read, and a stand-in for GitHub's API for what they call."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def load(path: Path) -> dict[str, Any]:
    """Return what a workflow says."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    # YAML 1.1 reads the key `on` as a truth.
    return {**document, "on": document.get(True)}


def workflow(name: str) -> dict[str, Any]:
    """Return what the workflow of that name says."""
    return load(ROOT / ".github" / "workflows" / f"{name}.yml")


def script(name: str, job: str, step: str) -> str:
    """Return what a step runs, by its name."""
    (found,) = (item["run"] for item in workflow(name)["jobs"][job]["steps"] if item.get("name") == step)
    return str(found)


class Api:
    """Answers as GitHub does, and keeps what was asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str, Any]] = []
        self.pulls: list[dict[str, Any]] = [{"number": 12, "head": {"sha": "abc"}, "labels": [{"name": "review"}]}]
        self.comments: list[dict[str, Any]] = []
        self.status = 200
        api = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                token = self.headers["Authorization"]
                api.requests.append((self.command, self.path, token, json.loads(content) if content else None))
                found = api.pulls if "/pulls?" in self.path else api.comments
                page = int(self.path.partition("&page=")[2].partition("&")[0] or 1)
                answer = found[(page - 1) * 100 : page * 100] if self.command == "GET" else {}
                self.send_response(api.status)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *args: Any) -> None: ...

        for method in ("GET", "POST", "PATCH", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.answer)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def api() -> Iterator[Api]:
    stand_in = Api()
    thread = threading.Thread(target=stand_in.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield stand_in
    stand_in.server.shutdown()
    thread.join()
    stand_in.server.server_close()


@pytest.fixture
def runner(api: Api) -> dict[str, str]:
    """The environment of a command on a runner."""
    return {
        **os.environ,
        "GITHUB_REPOSITORY": "owner/name",
        "GITHUB_API_URL": f"http://127.0.0.1:{api.server.server_port}",
        "GITHUB_TOKEN": "s3cret",
    }

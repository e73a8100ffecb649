"""Two applications, each a stack of its own, on one platform, a third: what becomes of one when the other goes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.lab import ROOT, Lab
from tests.lab.conftest import System, eventually, remove, sweep
from tests.lab.traffic import Traffic, call

pytestmark = pytest.mark.lab

SERVICES = [
    {
        "name": "customer",
        "versions": [{"name": "v1"}],
        "calls": [{"service": "preference", "method": "GET", "path": "/"}],
        "writes": "log-customer",
    },
    {"name": "preference", "versions": [{"name": "v1"}], "program": "recommendation"},
]


def stack_settings(name: str) -> dict[str, Any]:
    """Return what Pulumi.<name>.yaml sets."""
    found = yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text())["config"]
    return {key.partition(":")[2]: value for key, value in found.items()}


@dataclass(frozen=True)
class Platform:
    """A lab with the stack of the platform, and the applications on it."""

    system: System

    def engine(self, command: str, stack: str, *more: str, **settings: Any) -> None:
        """Run a command of the engine on a stack, in the lab's own way to have charts and proxies."""
        settings = stack_settings("lab") | stack_settings("platform" if stack == "platform" else "test") | settings
        words = [
            word
            for key, value in settings.items()
            for word in ("--config", f"{key}={value if isinstance(value, str) else json.dumps(value)}")
        ]
        config = [] if command == "destroy" else words
        result = self.system.engine(command, "--stack", stack, *more, *config)
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr

    def application(self, command: str, name: str) -> None:
        """Bring an application up or down."""
        self.engine(command, name, instance=name, services=SERVICES)

    def url(self, name: str) -> str:
        """Return the URL of an application's customer, at the one gateway."""
        service = self.system.get("-n", "istio-system", "service", "istio-ingressgateway")
        return f"http://{service['spec']['clusterIP']}/{name}/customer"


@pytest.fixture(scope="module")
def platform(binaries: Path) -> Iterator[Platform]:
    sweep()
    lab = Lab(f"test-apps-{os.getpid()}")
    try:
        lab.start(binaries, lambda _: None)
        made = Platform(System(lab.control_plane(), lab.folder / "pulumi", lab))
        made.engine("up", "platform")
        yield made
    finally:
        remove(lab)


def test_one_application_serves_while_the_other_is_torn_down(platform: Platform) -> None:
    for name in ("a", "b"):
        platform.application("up", name)
        assert eventually(lambda name=name: call(platform.url(name))[0] == 200)
    with Traffic(platform.system, platform.url("b")) as traffic:
        platform.application("destroy", "a")
        traffic.some()
    assert traffic.failed() == []
    assert call(platform.url("a"))[0] in (403, 404)
    namespaces = platform.system.kubectl("get", "namespaces", "-o", "name").split()
    assert {name for name in namespaces if name.endswith("-a")} == set()
    assert {"namespace/kafka-b", "namespace/demo-app-b"} <= set(namespaces)
    left = platform.system.kubectl("get", "authorizationpolicies", "-n", "istio-system", "-o", "name")
    assert {name for name in left.split() if name.endswith("-a")} == set()
    # Nothing but its platform is left when both are gone.
    platform.application("destroy", "b")
    platform.engine("destroy", "platform")
    ours = [item["metadata"]["name"] for item in platform.system.get("namespaces")["items"]]
    assert set(ours) == {"default", "kube-node-lease", "kube-public", "kube-system"}

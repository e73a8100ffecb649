"""A valid set-up that is not the shipped one: three brokers, several calls, and hosts outside of every protocol."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.errors import LabError
from lab.lab import Lab
from tests.lab.conftest import System, remove, run_lab, sweep

pytestmark = [pytest.mark.lab, pytest.mark.timeout(590)]


def host(name: str, port: int, protocol: str, env: str) -> dict[str, Any]:
    return {"host": name, "port": port, "protocol": protocol, "env": env}


LOG = "demo-application-log"
CALLS = {
    "customer": [("preference", "GET", "/"), ("shop", "POST", "/orders")],
    "preference": [("recommendation", "GET", "/")],
    "shop": [("recommendation", "GET", "/best")],
}
SHOP_HOSTS = [host("db.example.com", 5432, "TCP", "DB"), host("pay.example.com", 443, "HTTPS", "PAY")]
CLOCK_HOSTS = [host("worldclockapi.com", 80, "HTTP", "TIME_API_URL"), host("other.example.com", 8080, "HTTP", "OTHER")]
ARCHIVE = host("archive.example.com", 5432, "TCP", "ARCHIVE")


def service(name: str, *versions: dict[str, Any], **more: Any) -> dict[str, Any]:
    calls = [{"service": to, "method": method, "path": path} for to, method, path in CALLS.get(name, [])]
    return {
        "name": name,
        "versions": [*versions] or [{"name": "v1"}],
        "calls": calls,
        "writes": f"{LOG}-{name}",
        **more,
    }


SETTINGS: dict[str, Any] = {
    "kafkaNodePools": [
        {"name": "combined", "roles": ["controller", "broker"], "replicas": 3, "storage": {"type": "ephemeral"}}
    ],
    "services": [
        service("customer"),
        service("preference", replicas=2),
        service("shop", {"name": "v1", "hosts": SHOP_HOSTS}, program="customer"),
        service("recommendation", {"name": "v1", "weight": 60}, {"name": "v3", "weight": 40, "hosts": CLOCK_HOSTS}),
        service(
            "consumer",
            {"name": "v1", "hosts": [ARCHIVE]},
            reads=[f"{LOG}-customer", f"{LOG}-shop"],
            writes=f"{LOG}-aggregated",
            group="readers",
            strategy="Recreate",
        ),
    ],
    "routes": [
        {"path": "/customer", "service": "customer", "method": "GET", "target": "/"},
        {"path": "/orders", "service": "shop", "method": "POST", "target": "/orders"},
    ],
}


@pytest.fixture(scope="module")
def other(binaries: Path) -> Iterator[System]:
    """A lab of its own with this set-up on it."""
    assert binaries
    sweep()
    lab = Lab(f"test-setups-{os.getpid()}")
    settings = [word for key, value in SETTINGS.items() for word in ("--config", f"{key}={json.dumps(value)}")]
    try:
        result = run_lab(lab.name, "up", *settings)
        assert result.returncode == 0, result.stdout + result.stderr
        assert (
            "the lab simulates hosts outside the cluster: db.example.com:5432 (TCP), pay.example.com:443 (HTTPS)"
            in result.stdout
        )
        yield System(lab.control_plane(), lab.folder / "pulumi", lab)
    except LabError as error:
        pytest.fail(str(error))
    finally:
        remove(lab)


def test_every_declared_call_is_made_in_order(other: System) -> None:
    reply = other.command("call").stdout.splitlines()[-1]
    assert reply.startswith("customer => (preference => recommendation v")
    assert ") + (shop => recommendation v" in reply


ASK = """
import socket, ssl, urllib.request
def hello(address, wrap=lambda it: it):
    try:
        with wrap(socket.create_connection(address, 5)) as it:
            it.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            return it.makefile().read(60)
    except OSError as error:
        return type(error).__name__
context = ssl._create_unverified_context()
print(repr(hello(("db.example.com", 5432))))
print(repr(hello(("pay.example.com", 443), lambda it: context.wrap_socket(it, server_hostname="pay.example.com"))))
"""


def test_the_lab_answers_for_each_declared_host_and_the_sidecar_lets_through_who_declares_it(other: System) -> None:
    database, payment = other.script("deployment/shop-v1", ASK).splitlines()
    assert database.startswith("\"the lab's stand-in for db.example.com")
    assert "200 OK" in payment
    assert not [line for line in other.script("deployment/preference-v1", ASK).splitlines() if "stand-in" in line]
    ask = "import urllib.request as u; print(u.urlopen('http://other.example.com:8080/x', timeout=5).read().decode())"
    found = other.script("deployment/recommendation-v3", ask)
    assert found.startswith("the lab's stand-in for other.example.com: GET /x")


def test_the_proof_holds(other: System) -> None:
    result = other.command("verify", "--json")
    assert result.stdout, result.stderr
    results = json.loads(result.stdout)["results"]
    assert {it["subject"]: it["found"] for it in results if not it["passed"]} == {}
    assert {it["part"] for it in results} == {"network", "http", "tls", "capture", "kafka", "egress"}
    egress = {it["subject"].split(" (")[0]: it["found"] for it in results if it["part"] == "egress"}
    reached = {subject for subject, found in egress.items() if found == "allowed"}
    assert reached == {
        "demo-app/shop-v1 -> db.example.com:5432",
        "demo-app/shop-v1 -> pay.example.com:443",
        "demo-app/recommendation-v3 -> worldclockapi.com:80 GET /",
        "demo-app/recommendation-v3 -> other.example.com:8080 GET /",
        "demo-app/consumer-v1 -> archive.example.com:5432",
    }
    assert result.returncode == 0

"""What stands for the hosts outside the cluster."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from kafka_on_istio.access.model import ExternalHost
from lab.errors import LabError
from lab.network import OUTSIDE
from lab.outside.hosts import DEMO, Protocol, Stand, addresses, declared, described
from lab.outside.stand_ins import Place, StandIns
from lab.ports import free_ports

pytestmark = pytest.mark.unit


def entry(*hosts: str, **spec: Any) -> dict[str, Any]:
    ports = [{"number": 443, "name": "tls-443", "protocol": "TLS"}]
    return {"spec": {"hosts": [*hosts], "location": "MESH_EXTERNAL", "resolution": "DNS", "ports": ports, **spec}}


def test_every_port_of_a_declared_host_has_a_stand_in_that_speaks_its_protocol() -> None:
    ports = [
        {"number": 80, "name": "http-80", "protocol": "HTTP"},
        {"number": 443, "name": "tls-443", "protocol": "TLS"},
        {"number": 5432, "name": "tcp-5432", "protocol": "TCP"},
        {"number": 27017, "name": "mongo", "protocol": "MONGO"},
    ]
    assert declared([entry("a.example.com", ports=ports)]) == [
        DEMO,
        Stand("a.example.com", 80, Protocol.HTTP),
        Stand("a.example.com", 443, Protocol.HTTPS),
        Stand("a.example.com", 5432, Protocol.TCP),
        Stand("a.example.com", 27017, Protocol.TCP),
    ]


def test_the_demos_host_is_there_once_whether_it_is_declared_or_not() -> None:
    assert declared([]) == [DEMO]
    http = [{"number": 80, "name": "http-80", "protocol": "HTTP"}]
    assert declared([entry("worldclockapi.com", ports=http)]) == [DEMO]


def test_what_is_in_the_mesh_or_has_an_address_of_its_own_needs_no_stand_in() -> None:
    inside = entry("b.example.com", location="MESH_INTERNAL")
    placed = entry("c.example.com", endpoints=[{"address": "192.0.2.7"}])
    assert declared([inside, placed, entry("*.example.com")]) == [DEMO]


def test_a_host_keeps_its_address_while_others_come_and_go() -> None:
    names = [f"host-{number}.example.com" for number in range(200)]
    found = addresses(names)
    assert len(set(found.values())) == len(names) + 1
    assert set(found.values()) <= set(OUTSIDE.hosts())
    assert found["worldclockapi.com"] == OUTSIDE[1]
    assert addresses(names[:1])[names[0]] == addresses([names[0], "other.example.com"])[names[0]]
    with pytest.raises(LabError, match="254 outside hosts are declared; the lab has addresses for 253"):
        addresses(f"host-{number}.example.com" for number in range(254))


def test_the_lab_lists_its_stand_ins() -> None:
    hosts = [ExternalHost("db.example.com", 5432, "TCP", ())]
    assert described(hosts) == "the lab simulates hosts outside the cluster: db.example.com:5432 (TCP)"
    assert described([]) == ""


def with_stand_in(protocol: Protocol, work: Callable[[int], Awaitable[None]]) -> None:
    """Do something while a stand-in listens on loopback, and see that it does not after that."""

    async def run() -> None:
        port = free_ports()
        stand_ins = StandIns()
        place = Place(Stand("a.example.com", port, protocol), "127.0.0.1")
        await stand_ins.be([place])
        await stand_ins.be([place])
        await work(port)
        await stand_ins.be([])
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", port)

    asyncio.run(run())


@pytest.mark.parametrize(("protocol", "scheme"), [(Protocol.HTTP, "http"), (Protocol.HTTPS, "https")])
def test_a_stand_in_of_http_answers_everything_and_says_what_it_is(protocol: Protocol, scheme: str) -> None:
    async def ask(port: int) -> None:
        url = f"{scheme}://127.0.0.1:{port}"
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{url}/orders", ssl=False) as answer:
                assert (answer.status, await answer.text()) == (
                    200,
                    "the lab's stand-in for a.example.com: POST /orders\n",
                )
            async with session.get(f"{url}/api/json/cet/now", ssl=False) as answer:
                assert (await answer.json())["timeZoneName"] == "Central Europe Standard Time"

    with_stand_in(protocol, ask)


def test_a_stand_in_of_tls_has_a_certificate_in_the_hosts_name() -> None:
    async def ask(port: int) -> None:
        certificate = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
        context = ssl.create_default_context(cadata=certificate)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="a.example.com")
        writer.close()

    with_stand_in(Protocol.HTTPS, ask)


def test_a_stand_in_of_tcp_says_what_it_is_and_sends_back_what_comes() -> None:
    async def ask(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.readline() == b"the lab's stand-in for a.example.com: what comes goes back\n"
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
        writer.close()

    with_stand_in(Protocol.TCP, ask)

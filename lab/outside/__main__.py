"""``python -m lab.outside``: serve the outside hosts that the cluster declares.

One process follows the cluster, and a second, in a network namespace that is not the cluster's, listens. It is told on
its standard input where.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import click
import orjson
from lightkube import AsyncClient, KubeConfig
from lightkube.generic_resource import create_namespaced_resource

from lab import files
from lab.errors import LabError
from lab.network import LABS, OUTSIDE, OUTSIDE_NAMES, Network, batch
from lab.node.informer import Informer
from lab.outside.hosts import Protocol, Stand, addresses, declared
from lab.outside.stand_ins import Place, StandIns

ATTACHMENT = "outside"
_SERVICE_ENTRY: Any = create_namespaced_resource("networking.istio.io", "v1", "ServiceEntry", "serviceentries")
_SETTLE_SECONDS = 0.1
_log = logging.getLogger(__name__)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--network", required=True, type=click.IntRange(0, LABS - 1), help="Number of the lab's network.")
@click.option("--kubeconfig", required=True, type=click.Path(path_type=Path), help="Kubeconfig of the reader.")
@click.option("--folder", required=True, type=click.Path(path_type=Path), help="Folder of the node.")
@click.option("--inside", is_flag=True, help="Listen on the addresses from standard input, in this network namespace.")
def main(network: int, kubeconfig: Path, folder: Path, *, inside: bool) -> None:
    """Stand for the hosts outside the lab's cluster, in a network namespace of its own."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    work = _listen() if inside else _Outside(Network(network), folder).follow(kubeconfig)
    try:
        asyncio.run(work)
    except (LabError, OSError) as error:
        sys.exit(f"error: {error}")


async def _listen() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    stand_ins = StandIns()
    while line := await reader.readline():
        told = orjson.loads(line)
        await stand_ins.be(Place(Stand(host, port, Protocol(speaks)), at) for host, port, speaks, at in told)


class _Outside:
    """What is outside now: the interface's addresses, the names that pods know, and who listens."""

    def __init__(self, network: Network, folder: Path) -> None:
        self._network = network
        self._folder = folder
        self._dirty = asyncio.Event()
        self._addresses = {str(OUTSIDE[1])}

    async def follow(self, kubeconfig: Path) -> None:
        """Follow what is declared for ever.

        :raises LabError: if the network or the listening process fails.
        """
        self._network.attach(ATTACHMENT, OUTSIDE[1])
        client = AsyncClient(KubeConfig.from_file(str(kubeconfig)), namespace="default", trust_env=False)
        entries = Informer(client, _SERVICE_ENTRY, lambda *_: self._dirty.set())
        enter = [str(shutil.which("nsenter")), f"--net={Path('/run/netns') / self._network.namespace(ATTACHMENT)}"]
        tether = [str(shutil.which("setpriv")), "--pdeathsig", "KILL"]
        listening = await asyncio.create_subprocess_exec(
            *tether, *enter, sys.executable, *sys.orig_argv[1:], "--inside", stdin=asyncio.subprocess.PIPE
        )
        tasks = [
            asyncio.create_task(work) for work in (entries.run(), self._tell(entries, listening), listening.wait())
        ]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        message = f"the process for outside hosts ended with exit code {listening.returncode}"
        raise LabError(message)

    async def _tell(self, entries: Informer, listening: asyncio.subprocess.Process) -> None:
        while True:
            stands = declared(entries.items.values())
            where = {host: str(at) for host, at in addresses(stand.host for stand in stands).items()}
            self._have(set(where.values()))
            told = [[*stand, where[stand.host]] for stand in stands]
            assert listening.stdin is not None
            listening.stdin.write(orjson.dumps(told) + b"\n")
            with contextlib.suppress(OSError):
                await listening.stdin.drain()
            files.replace(self._folder / OUTSIDE_NAMES, orjson.dumps(where))
            await self._dirty.wait()
            await asyncio.sleep(_SETTLE_SECONDS)
            self._dirty.clear()

    def _have(self, wanted: set[str]) -> None:
        more, less = wanted - self._addresses, self._addresses - wanted
        commands = [f"address add {address}/{OUTSIDE.prefixlen} dev eth0" for address in sorted(more)]
        commands += [f"address delete {address}/{OUTSIDE.prefixlen} dev eth0" for address in sorted(less)]
        if commands:
            batch(commands, self._network.namespace(ATTACHMENT))
        self._addresses = wanted


if __name__ == "__main__":
    main(prog_name="python -m lab.outside")

"""``python -m lab.node``: run the kubelet until it gets a signal."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import click

from lab.errors import LabError
from lab.network import LABS, Network
from lab.node import images
from lab.node.kubelet import Kubelet


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--folder", required=True, type=click.Path(path_type=Path), help="Folder of the pods' files.")
@click.option("--kubeconfig", required=True, type=click.Path(path_type=Path), help="Kubeconfig of the node.")
@click.option("--certificates", required=True, type=click.Path(path_type=Path), help="Folder with ca.crt, kubelet.crt.")
@click.option("--binaries", required=True, type=click.Path(path_type=Path), help="Folder with the built commands.")
@click.option("--network", required=True, type=click.IntRange(0, LABS - 1), help="Number of the lab's network.")
def main(folder: Path, kubeconfig: Path, certificates: Path, binaries: Path, network: int) -> None:
    """Run the pods of the lab's node."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stdout)
    for noisy in ("httpx2", "httpcore2"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

    where = folder.absolute()

    async def run() -> None:
        await Kubelet(where, kubeconfig, Network(network), images.table(binaries)).run(certificates)

    try:
        asyncio.run(run())
    except LabError as error:
        sys.exit(f"error: {error}")


main(prog_name="python -m lab.node")

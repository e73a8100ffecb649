"""The world outside the cluster, as far as the lab needs one: a time API under an address that is not the cluster's."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from aiohttp import web

from lab.network import LABS, OUTSIDE, Network

ATTACHMENT = "outside"


def now(moment: datetime) -> dict[str, Any]:
    """Return what worldclockapi.com answers at ``/api/json/cet/now`` (the fields that its documentation names)."""
    here = moment.astimezone(ZoneInfo("Europe/Berlin"))
    offset = here.utcoffset()
    return {
        "$id": "1",
        "currentDateTime": here.strftime("%Y-%m-%dT%H:%M") + here.strftime("%z")[:3] + ":" + here.strftime("%z")[3:],
        "utcOffset": str(offset).zfill(8),
        "isDayLightSavingsTime": bool(here.dst()),
        "dayOfTheWeek": here.strftime("%A"),
        "timeZoneName": "Central Europe Standard Time",
        "ordinalDate": here.strftime("%Y-%j"),
        "serviceResponse": None,
    }


async def _answer(_: web.Request) -> web.Response:
    return web.json_response(now(datetime.now(ZoneInfo("UTC"))))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--network", required=True, type=click.IntRange(0, LABS - 1), help="Number of the lab's network.")
@click.option("--inside", is_flag=True, help="Serve in the network namespace that this process is in.")
def main(network: int, *, inside: bool) -> None:
    """Serve the world outside the lab's cluster, in a network namespace of its own."""
    if inside:
        app = web.Application()
        app.router.add_get("/api/json/cet/now", _answer)
        web.run_app(app, host=str(OUTSIDE[1]), port=80, print=None, access_log=None)
        return
    lab = Network(network)
    lab.attach(ATTACHMENT, OUTSIDE[1])
    enter = [str(shutil.which("nsenter")), f"--net={Path('/run/netns') / lab.namespace(ATTACHMENT)}"]
    words = [*enter, sys.executable, *sys.orig_argv[1:], "--inside"]
    os.execv(words[0], words)  # noqa: S606


if __name__ == "__main__":
    main(prog_name="python -m lab.outside")

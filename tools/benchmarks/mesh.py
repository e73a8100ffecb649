"""``python -m tools.benchmarks mesh``: what sidecars cost, on two labs side by side, one with and one without.

With sidecars a call goes in through the gateway, so that it has one hop more. Rounds of calls go to both in turn. A
change of policy is one AuthorizationPolicy taken away and put back; it counts until calls feel it.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from lab.lab import Lab
from tools.benchmarks.labs import ingress, memory, processes, up
from tools.benchmarks.load import CALLS, Target, compare

ROUNDS = 25
CHANGES = 5
_MEBIBYTE = 1 << 20


def kubectl(lab: Lab, *arguments: str, text: str | None = None) -> str:
    """Run kubectl on a lab."""
    command = [str(Path(sys.executable).parent / "kubectl"), "--kubeconfig", str(lab.control_plane().kubeconfig)]
    result = subprocess.run([*command, *arguments], input=text, check=True, capture_output=True, text=True)
    return result.stdout


def status(target: Target) -> int:
    """Return the status of a call."""
    url = f"http://{target.host}:{target.port}{target.path}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def until(target: Target, expected: int) -> float:
    """Return the seconds until a call has the expected status."""
    began = time.perf_counter()
    while status(target) != expected:
        time.sleep(0.01)
    return time.perf_counter() - began


def enforcement(lab: Lab, target: Target) -> tuple[list[float], list[float]]:
    """Return the seconds until a policy's going, and its coming back, are felt."""
    which = ("-n", "demo-app", "authorizationpolicy", "preference")
    found = json.loads(kubectl(lab, "get", *which, "-o", "json"))
    manifest = {key: found[key] for key in ("apiVersion", "kind", "spec")}
    manifest["metadata"] = {"name": "preference", "namespace": "demo-app"}
    going, coming = [], []
    for _ in range(CHANGES):
        kubectl(lab, "delete", *which)
        going.append(until(target, 503))
        kubectl(lab, "create", "-f", "-", text=json.dumps(manifest))
        coming.append(until(target, 200))
    return going, coming


def main() -> None:
    """Measure, and print a table."""
    with up("bench-plain", "dataPlane=none") as (plain, _), up("bench-mesh", "dataPlane=sidecar") as (mesh, _):
        without, within = ingress(plain), ingress(mesh)
        print(f"chain of 3 services in pods: {ROUNDS} rounds of {CALLS} calls each")
        for callers in (1, 8):
            direct, proxied = asyncio.run(compare(without, within, callers, ROUNDS))
            who = f"{callers} caller{'s' if callers > 1 else ''}"
            print(direct.row(f"{who}, no sidecars"))
            print(proxied.row(f"{who}, sidecars and gateway"))
            added = proxied.percentile(50) - direct.percentile(50)
            print(f"{f'{who}, p50 added':<40}{added:8.3f} ms", flush=True)
        sidecars = processes(mesh, "node/pods/*/containers/istio-proxy/*/pid")
        print(f"{'memory per sidecar':<40}{memory(sidecars) / len(sidecars) / _MEBIBYTE:8.0f} MiB of {len(sidecars)}")
        for what, seconds in zip(("taken away", "put back"), enforcement(mesh, within), strict=True):
            print(f"{f'policy {what}, until it is felt':<40}{statistics.median(seconds):8.2f} s median of {CHANGES}")

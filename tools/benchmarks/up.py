"""``python -m tools.benchmarks up``: from `make up` with a warm cache to the first reply, and the lab's memory then."""

from __future__ import annotations

from tools.benchmarks.labs import memory, processes, up

TARGETS = {"none": 45, "sidecar": 75}
"""Seconds to the first reply, by data plane."""

_MEBIBYTE = 1 << 20


def main() -> None:
    """Measure each data plane once, one after the other."""
    for data_plane, target in TARGETS.items():
        with up("bench-up", f"dataPlane={data_plane}") as (lab, phases):
            before = 0.0
            for phase, seconds in phases.items():
                print(f"dataPlane {data_plane:<10}{phase:<22}{seconds:6.1f} s   (+{seconds - before:.1f})")
                before = seconds
            total = memory([*processes(lab, "*/*.pid"), *processes(lab, "node/pods/*/containers/*/*/shim.pid")])
            print(f"dataPlane {data_plane:<10}{'to the first reply':<22}{before:6.1f} s   at most {target}")
            print(f"dataPlane {data_plane:<10}{'memory, whole lab':<22}{total / _MEBIBYTE:6.0f} MiB", flush=True)

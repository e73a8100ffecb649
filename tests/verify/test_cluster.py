"""Answers of the API server, decoded by several threads at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit

PROGRAM = """
import sys, threading
sys.setswitchinterval(1e-6)
from lightkube.core.decoders import decode_object
from verify import cluster
cluster.resolve()
barrier = threading.Barrier(8)
def decode(kind):
    barrier.wait()
    decode_object(b'{"metadata": {"name": "a"}}', kind)
for kind in cluster.READ:
    threads = [threading.Thread(target=decode, args=(kind,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_threads_that_decode_the_first_answers_do_not_end_the_process() -> None:
    """Without ``resolve`` nine of ten such processes ended by SIGSEGV."""
    for _ in range(3):
        result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr

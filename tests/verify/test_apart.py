"""Parts of the proof in processes of their own: what one that dies leaves behind, and that the others go on."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from typing import Any

import pytest

from verify import proof
from verify.apart import apart
from verify.check import Check, Part
from verify.death import cause
from verify.errors import VerifyError

pytestmark = pytest.mark.unit


def read_nowhere() -> None:
    ctypes.string_at(0)


def raise_fault() -> None:
    raise VerifyError("pod a/b: not there")


def exit_early() -> None:
    os._exit(3)


class Deadly:
    """What ends the process that unpickles it."""

    def __reduce__(self) -> tuple[Any, tuple[int, int]]:
        return _die, (os.getpid(), signal.SIGBUS)


def _die(parent: int, number: int) -> None:
    if os.getpid() != parent:
        os.kill(os.getpid(), number)


def test_what_is_done_in_a_process_of_its_own_is_returned() -> None:
    here, there = os.getpid(), apart(os.getpid)
    assert isinstance(there, int)
    assert there != here
    with pytest.raises(VerifyError, match="^pod a/b: not there$"):
        apart(raise_fault)


def test_a_process_that_dies_is_told_with_its_signal_and_its_call() -> None:
    with pytest.raises(VerifyError, match=r"^its process ended by SIGSEGV in string_at \(__init__\.py:\d+\)$"):
        apart(read_nowhere)
    with pytest.raises(VerifyError, match="^its process ended with 3$"):
        apart(exit_early)


def test_a_part_that_dies_is_one_check_that_names_it() -> None:
    session: Any = Deadly()
    assert proof.attempted(Part.HTTP, session) == [
        Check(Part.HTTP, "the http part", "completed", "unknown", "its process ended by SIGBUS")
    ]


def test_who_waits_for_a_process_and_is_told_to_end_does_not_leave_it_behind() -> None:
    def end(*_: object) -> None:
        sys.exit(7)

    before = signal.signal(signal.SIGALRM, end)
    began = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 2)
        with pytest.raises(SystemExit):
            apart(time.sleep, 60)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < 10


DUMP = """\
Fatal Python error: Segmentation fault

Thread 0x00007f2d95ffb6c0 (most recent call first):
  File "/usr/lib/python3.11/typing.py", line 852 in __init__
  File "/usr/lib/python3.11/threading.py", line 982 in run

Current thread 0x00007f2d967fc6c0 (most recent call first):
  File "/opt/services/lib/lightkube/core/decoders.py", line 95 in decode_object
  File "/usr/lib/python3.11/threading.py", line 982 in run

Extension modules: msgspec._core (total: 1)
"""


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (-11, DUMP, "ended by SIGSEGV in decode_object (decoders.py:95)"),
        # As kubectl exec passes it on.
        (139, DUMP, "ended by SIGSEGV in decode_object (decoders.py:95)"),
        (137, "", "ended by SIGKILL"),
        (0, "", None),
        (1, DUMP, None),
        (255, "", None),
    ],
)
def test_which_signal_ended_a_program_and_in_which_call(code: int, said: str, told: str | None) -> None:
    assert cause(code, said) == told

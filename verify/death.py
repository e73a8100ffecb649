"""How a process was ended. Pure."""

from __future__ import annotations

import re
import signal

_SHELLS = 128
"""What shells, and ``kubectl exec`` after them, add to the number of the signal that ended a program."""

_CALL = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>\S+)', re.MULTILINE)
"""A line of what Python's faulthandler writes: the innermost call of a thread comes first."""

_CURRENT = "Current thread"


def cause(code: int, said: str) -> str | None:
    """Return the signal that ended a process, and the call; None if it exited.

    :param code: its exit code: negative as Python has it, above 128 as a shell has it.
    :param said: what faulthandler wrote, if it wrote anything.
    """
    number = -code if code < 0 else code - _SHELLS
    if number <= 0:
        return None
    try:
        name = signal.Signals(number).name
    except ValueError:
        return None
    call = _CALL.search(said, max(said.find(_CURRENT), 0))
    where = f" in {call['function']} ({call['file'].rpartition('/')[2]}:{call['line']})" if call else ""
    return f"ended by {name}{where}"

"""Runs work in its own process, so that a crash, such as in a native library, ends only that work."""

from __future__ import annotations

import faulthandler
import multiprocessing
import signal
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from verify.death import cause
from verify.errors import VerifyError

_PROCESSES = multiprocessing.get_context("spawn")
"""A process that begins anew: connections and threads of this one are not in it."""


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of the work; it and its arguments are pickled.

    :raises VerifyError: as the work does, and if its process ends early, with the signal and the call.
    """
    receiver, sender = _PROCESSES.Pipe(duplex=False)
    with tempfile.NamedTemporaryFile(prefix="verify-") as traces, receiver:
        process = _PROCESSES.Process(target=_run, args=(sender, traces.name, work, arguments), daemon=True)
        process.start()
        # Only the child has it then, so that its end is the end of what comes.
        sender.close()
        try:
            result = receiver.recv()
        except EOFError:
            process.join()
            code = process.exitcode or 0
            said = Path(traces.name).read_text(encoding="utf-8", errors="replace")
            raise VerifyError(f"its process {cause(code, said) or f'ended with {code}'}") from None
        finally:
            # With SIGKILL: nobody waits for what it does not need any more.
            process.kill()
            process.join()
    if isinstance(result, VerifyError):
        raise result
    return result


def _run(sender: Connection, traces: str, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    # Ctrl-C is for the process that waits for this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Path(traces).open("wb") as file:
        faulthandler.enable(file)
        try:
            result = work(*arguments)
        except VerifyError as error:
            result = error
        sender.send(result)
        faulthandler.disable()

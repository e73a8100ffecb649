"""What the harness tells a user instead of a traceback."""

from __future__ import annotations


class HarnessError(Exception):
    """A program cannot be run, or graphs cannot be compared; the message is one line for each fault."""

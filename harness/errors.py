"""Errors that the user sees without a traceback."""

from __future__ import annotations


class HarnessError(Exception):
    """A program cannot run, or graphs cannot be compared; the message has a line per fault."""

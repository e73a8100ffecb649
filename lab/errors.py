"""Errors that the user sees as one line, without a traceback."""

from __future__ import annotations


class LabError(Exception):
    """A fault that the user can fix; the message has a line per fault, with the reason and the fix."""

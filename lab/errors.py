"""Errors that the user sees as one line, without a traceback."""

from __future__ import annotations


class LabError(Exception):
    """Something cannot be done; the message says what, why and how to fix it, one fault a line."""

"""What the lab tells a user instead of a traceback."""

from __future__ import annotations


class LabError(Exception):
    """Something cannot be done; the message says what, why and how to fix it, one fault a line."""

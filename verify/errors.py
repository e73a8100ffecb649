"""The fault that is told in one line."""

from __future__ import annotations


class VerifyError(Exception):
    """What keeps the proof from being made; its text says what is wrong and what to do."""

"""The error that is printed as one line."""

from __future__ import annotations


class VerifyError(Exception):
    """The proof cannot run; the message gives the reason and the fix."""

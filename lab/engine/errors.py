"""What the engine tells a user instead of a traceback."""

from __future__ import annotations


class EngineError(Exception):
    """A run cannot start or go on; the message is one clear line, or one a fault, and holds no secret."""

"""Where states are; the layout is the real CLI's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.engine.errors import EngineError


def state_path(backend: Path, project: str, stack: str) -> Path:
    """Return where a stack's state is."""
    return backend / ".pulumi" / "stacks" / project / f"{stack}.json"


def backend_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder that ``PULUMI_BACKEND_URL`` names.

    :raises EngineError: if it names none.
    """
    url = environment.get("PULUMI_BACKEND_URL", "")
    if not url.startswith("file://") or url == "file://":
        message = f"PULUMI_BACKEND_URL is {url!r}; this engine keeps states in a folder: set it to file:///some/folder"
        raise EngineError(message)
    return Path(url.removeprefix("file://")).expanduser()

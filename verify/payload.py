"""Packs a Python package into a payload, for a pod whose image does not contain it."""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path
from types import ModuleType

_SUFFIXES = {".py", ".json"}


def import_lines(package: ModuleType) -> str:
    """Return the first lines of a program, which make a package of Python and JSON files importable."""
    folder = Path(str(package.__file__)).parent
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.suffix in _SUFFIXES:
                archive.write(path, path.relative_to(folder.parent))
    content = base64.b64encode(packed.getvalue()).decode()
    return (
        "import base64, sys, tempfile, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "_payload = tempfile.NamedTemporaryFile(suffix='.zip')\n"
        f"_payload.write(base64.b64decode('{content}'))\n"
        "_payload.flush()\n"
        "sys.path.insert(0, _payload.name)\n"
    )

"""A Python package as a program's own luggage, for a pod whose image does not have it. Pure but for reading files."""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path
from types import ModuleType

_SUFFIXES = {".py", ".json"}


def unpacking(package: ModuleType) -> str:
    """Return a program's first lines, after which it can import a package made of Python and JSON alone."""
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
        "_luggage = tempfile.NamedTemporaryFile(suffix='.zip')\n"
        f"_luggage.write(base64.b64decode('{content}'))\n"
        "_luggage.flush()\n"
        "sys.path.insert(0, _luggage.name)\n"
    )

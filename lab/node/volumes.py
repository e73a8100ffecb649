"""The files of a pod's volumes: their contents, and how they are written to disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from lab.node import environment
from lab.node.environment import MissingError
from lab.node.manifest import Manifest

_MODE: Final = 0o644


class File(NamedTuple):
    """A file of a volume."""

    content: bytes
    mode: int = _MODE


class Owner(NamedTuple):
    """Whose the files of a volume are, by ids of the machine: the containers' root, and the pod's group or None."""

    user: int
    group: int | None = None


class Objects(Protocol):
    """Where the contents of volumes come from; all of it belongs to the pod's namespace."""

    async def data(self, kind: str, name: str) -> Mapping[str, bytes] | None:
        """Return the data of a ``secret`` or ``configMap``; None if there is none."""

    async def token(self, audience: str, seconds: int) -> str:
        """Return a token of the pod's service account for an audience (empty: the API server)."""


FILES: Final = ("secret", "configMap", "projected", "downwardAPI")
"""The volumes that hold files; the others are folders."""

FOLDERS: Final = ("emptyDir", "persistentVolumeClaim")


def kind(volume: Manifest) -> str:
    """Return the kind of a volume.

    :raises MissingError: if the node does not have it.
    """
    found = [name for name in volume if name != "name"]
    if len(found) == 1 and found[0] in (*FILES, *FOLDERS):
        return found[0]
    message = (
        f'volume "{volume["name"]}" is of kind {", ".join(found) or "none"}; the lab has'
        f" {', '.join((*FILES, *FOLDERS))}"
    )
    raise MissingError(message)


async def files(volume: Manifest, pod: Manifest, addresses: Mapping[str, str], objects: Objects) -> dict[str, File]:
    """Return the files of a volume by their paths in it.

    :param addresses: ``pod`` and ``node``.
    :raises MissingError: if what must be there is not.
    """
    what = kind(volume)
    source = volume[what]
    if what != "projected":
        return await _source(what, source, pod, addresses, objects, source.get("defaultMode"))
    result: dict[str, File] = {}
    for part in source.get("sources") or []:
        for name, inner in part.items():
            result |= await _source(name, inner, pod, addresses, objects, source.get("defaultMode"))
    return result


async def _source(
    what: str, source: Manifest, pod: Manifest, addresses: Mapping[str, str], objects: Objects, mode: int | None
) -> dict[str, File]:
    mode = _MODE if mode is None else mode
    match what:
        case "secret" | "configMap":
            return await _keyed(what, source, objects, mode)
        case "downwardAPI":
            return {
                item["path"]: File(_downward(item, pod, addresses).encode(), item.get("mode") or mode)
                for item in source.get("items") or []
            }
        case "serviceAccountToken":
            token = await objects.token(source.get("audience") or "", source.get("expirationSeconds") or 3600)
            return {source["path"]: File(token.encode(), mode)}
        case _:
            message = f"a projected volume has the source {what}, which the lab's node does not support"
            raise MissingError(message)


async def _keyed(what: str, source: Manifest, objects: Objects, mode: int) -> dict[str, File]:
    name = source.get("secretName") or source.get("name") or ""
    data = await objects.data(what, name)
    if data is None:
        if source.get("optional"):
            return {}
        message = f'{what.lower()} "{name}" not found'
        raise MissingError(message)
    items = source.get("items")
    if not items:
        return {key: File(content, mode) for key, content in data.items()}
    result = {}
    for item in items:
        if item["key"] in data:
            result[item["path"]] = File(data[item["key"]], item.get("mode") or mode)
        elif not source.get("optional"):
            message = f'key "{item["key"]}" not found in {what.lower()} "{name}"'
            raise MissingError(message)
    return result


def _downward(item: Manifest, pod: Manifest, addresses: Mapping[str, str]) -> str:
    if "fieldRef" in item:
        return environment.field(pod, item["fieldRef"]["fieldPath"], addresses)
    reference = item["resourceFieldRef"]
    container = next(one for one in pod["spec"]["containers"] if one["name"] == reference["containerName"])
    return environment.resource(container, reference)


def write(folder: Path, content: Mapping[str, File], owner: Owner) -> None:
    """Make a folder hold just these files, all at once for whoever reads it.

    As a kubelet does: the files are in a folder of their own, the link ``..data`` names it, and each top-level entry
    is a link through it. A group of the pod's may read them too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "..data"
    if _held(data) == content:
        return
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    for path, file in content.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode if owner.group is None else file.mode | (file.mode & 0o400) >> 3)
        os.chown(target, owner.user, owner.user if owner.group is None else owner.group)
    fresh.chmod(0o755)
    old = data.readlink() if data.is_symlink() else None
    link = folder / "..data.new"
    link.unlink(missing_ok=True)
    link.symlink_to(fresh.name)
    link.replace(data)
    wanted = {Path(path).parts[0] for path in content}
    for name in wanted:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data") / name)
    for entry in folder.iterdir():
        # What is no link is where another volume is mounted.
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in wanted:
            entry.unlink()
    if old is not None:
        shutil.rmtree(folder / old, ignore_errors=True)


def _held(data: Path) -> dict[str, File] | None:
    if not data.is_symlink():
        return None
    root = data.resolve()
    return {
        str(path.relative_to(root)): File(path.read_bytes(), path.stat().st_mode & 0o777)
        for path in root.rglob("*")
        if path.is_file()
    }


def make_folder(path: Path, owner: Owner, mode: int = 0o777) -> None:
    """Make a folder that every user of a pod may write, where it is not there yet."""
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, owner.user, owner.user if owner.group is None else owner.group)
    path.chmod(mode if owner.group is None else 0o2000 | mode)


def by_name(pod: Manifest) -> dict[str, Any]:
    """Return a pod's volumes by name."""
    return {volume["name"]: volume for volume in pod["spec"].get("volumes") or []}

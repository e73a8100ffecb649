"""The volumes of one pod: written to disk, kept current, and mounted into its containers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import httpx2
from lightkube import ApiError

from lab.ids import Ids
from lab.node import claims, volumes
from lab.node.api import Api
from lab.node.bundle import Mount
from lab.node.environment import MissingError
from lab.node.manifest import Manifest
from lab.node.volumes import Owner


@dataclass
class _Objects:
    """The Secrets, ConfigMaps and tokens of a pod."""

    pod: Manifest
    api: Api

    async def data(self, kind: str, name: str) -> Mapping[str, bytes] | None:
        return await self.api.data(self.pod["metadata"]["namespace"], kind, name)

    async def token(self, audience: str, seconds: int) -> str:
        return await self.api.token(self.pod, audience, seconds)


@dataclass(frozen=True)
class VolumeManager:
    """Where the volumes of one pod are: ``folder`` has its own, ``claims`` those of all claims by namespace.

    Files belong to the containers' root, and to the pod's group if it has one.
    """

    api: Api
    folder: Path
    claims: Path
    ids: Ids

    async def write(self, pod: Manifest, addresses: Mapping[str, str]) -> None:
        """Bring all volumes onto the disk.

        :param addresses: ``pod`` and ``node``.
        :raises MissingError: if what must be there is not, or the node does not have such volumes.
        """
        for volume in volumes.by_name(pod).values():
            await self._write(volume, pod, addresses)

    async def refresh(self, pod: Manifest, addresses: Mapping[str, str]) -> None:
        """Bring the files of volumes up to date, tokens among them; what cannot be had stays as it is.

        :param addresses: ``pod`` and ``node``.
        """
        for volume in volumes.by_name(pod).values():
            if volumes.kind(volume) in volumes.FILES:
                with contextlib.suppress(MissingError, ApiError, httpx2.HTTPError):
                    await self._write(volume, pod, addresses)

    def mounts(self, pod: Manifest, container: Manifest) -> list[Mount]:
        """Return what a container has of the volumes.

        :raises MissingError: if that is not there, or a container could have it lead elsewhere.
        """
        available = volumes.by_name(pod)
        mounts: list[Mount] = []
        outer: list[Mount] = []
        for item in container.get("volumeMounts") or []:
            volume = available[item["name"]]
            folder = self._folder(volume, pod)
            if item.get("subPath"):
                folder = _below(folder, volume, item["subPath"])
            mounts.append(Mount(folder, item["mountPath"], bool(item.get("readOnly"))))
            if volumes.kind(volume) in volumes.FILES and not item.get("subPath"):
                outer.append(mounts[-1])
        for mount in outer:
            _make_places(mount, mounts)
        return mounts

    async def _write(self, volume: Manifest, pod: Manifest, addresses: Mapping[str, str]) -> None:
        owner = self._owner(pod)
        kind, folder = volumes.kind(volume), self._folder(volume, pod)
        if kind in volumes.FILES:
            content = await volumes.files(volume, pod, addresses, _Objects(pod, self.api))
            volumes.write(folder, content, owner)
        else:
            volumes.make_folder(folder, owner)

    def _owner(self, pod: Manifest) -> Owner:
        group = (pod["spec"].get("securityContext") or {}).get("fsGroup")
        try:
            return Owner(self.ids.of(0), None if group is None else self.ids.of(group))
        except ValueError as error:
            message = f"fsGroup: {error}"
            raise MissingError(message) from error

    def _folder(self, volume: Manifest, pod: Manifest) -> Path:
        kind = volumes.kind(volume)
        if kind == "persistentVolumeClaim":
            return claims.path(self.claims, pod["metadata"]["namespace"], volume[kind]["claimName"])
        return self.folder / str(volume["name"])


def _below(folder: Path, volume: Manifest, path: str) -> Path:
    """Return a part of a volume that containers cannot write, for they could make a link there that leads out of it.

    :raises MissingError: for any other volume, and for what is not there.
    """
    where = f'subPath "{path}" of volume "{volume["name"]}"'
    if volumes.kind(volume) not in volumes.FILES:
        message = f"{where}: the lab supports subPath for volumes of kind {', '.join(volumes.FILES)}"
        raise MissingError(message)
    found = (folder / path).resolve()
    if not found.exists():
        message = f"{where} is not there"
        raise MissingError(message)
    return found


def _make_places(outer: Mount, mounts: Iterable[Mount]) -> None:
    """Make what other mounts cover in a volume of files; the containers' root could not."""
    for inner in mounts:
        path = PurePosixPath(inner.target)
        if path == PurePosixPath(outer.target) or not path.is_relative_to(outer.target):
            continue
        place = outer.source / path.relative_to(outer.target)
        if inner.source.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        elif not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()

"""The volumes of one pod: brought onto the disk, kept current, mounted into its containers."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2
from lightkube import ApiError

from lab.node import claims, volumes
from lab.node.api import Api
from lab.node.bundle import Mount
from lab.node.environment import MissingError
from lab.node.manifest import Manifest


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
    """Where the volumes of one pod are: ``folder`` has its own, ``claims`` those of all claims by namespace."""

    api: Api
    folder: Path
    claims: Path

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
        """Return what a container has of the volumes."""
        available = volumes.by_name(pod)
        mounts = []
        for item in container.get("volumeMounts") or []:
            folder = self._folder(available[item["name"]], pod)
            if item.get("subPath"):
                folder = (folder / item["subPath"]).resolve()
                if not folder.exists():
                    folder.mkdir(parents=True)
            mounts.append(Mount(folder, item["mountPath"], bool(item.get("readOnly"))))
        return mounts

    async def _write(self, volume: Manifest, pod: Manifest, addresses: Mapping[str, str]) -> None:
        group = (pod["spec"].get("securityContext") or {}).get("fsGroup")
        kind, folder = volumes.kind(volume), self._folder(volume, pod)
        if kind in volumes.FILES:
            content = await volumes.files(volume, pod, addresses, _Objects(pod, self.api))
            volumes.write(folder, content, group)
        elif kind == "hostPath":
            if not folder.exists():
                message = f'volume "{volume["name"]}": hostPath {folder} is not on this machine'
                raise MissingError(message)
        else:
            volumes.make_folder(folder, group)

    def _folder(self, volume: Manifest, pod: Manifest) -> Path:
        kind = volumes.kind(volume)
        if kind == "hostPath":
            return Path(volume["hostPath"]["path"])
        if kind == "persistentVolumeClaim":
            return claims.path(self.claims, pod["metadata"]["namespace"], volume[kind]["claimName"])
        return self.folder / str(volume["name"])

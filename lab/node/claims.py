"""Provisions the volumes of claims: a folder of this machine for each."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
from lightkube import ApiError, AsyncClient
from lightkube.resources.core_v1 import PersistentVolume, PersistentVolumeClaim

from lab.node.informer import Informer
from lab.node.manifest import Manifest

PROVISIONER: Final = "lab"
_BY: Final = "pv.kubernetes.io/provisioned-by"
_AGAIN_SECONDS: Final = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """The volumes to make, and the names of those whose claims are gone."""

    made: tuple[Manifest, ...]
    gone: tuple[str, ...]


def plan(claims: Iterable[Manifest], volumes: Iterable[Manifest], folder: Path) -> Plan:
    """Say which volumes claims want, of which none is there yet, and which are of no use any more.

    :param folder: where their data is, by namespace and claim.
    """
    wanted = {_name(claim): claim for claim in claims}
    there = {volume["metadata"]["name"]: volume for volume in volumes}
    ours = [
        name for name, volume in there.items() if (volume["metadata"].get("annotations") or {}).get(_BY) == PROVISIONER
    ]
    return Plan(
        tuple(
            _volume(name, claim, folder)
            for name, claim in wanted.items()
            if name not in there
            and not claim["spec"].get("volumeName")
            and not claim["metadata"].get("deletionTimestamp")
        ),
        tuple(name for name in ours if name not in wanted),
    )


def _name(claim: Manifest) -> str:
    return f"pvc-{claim['metadata']['uid']}"


def _volume(name: str, claim: Manifest, folder: Path) -> Manifest:
    metadata, spec = claim["metadata"], claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {_BY: PROVISIONER}},
        "spec": {
            "capacity": spec["resources"]["requests"],
            "accessModes": spec["accessModes"],
            "volumeMode": spec.get("volumeMode", "Filesystem"),
            "storageClassName": spec.get("storageClassName") or "",
            # What it holds goes when the claim does, which is done here.
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "hostPath": {"path": str(path(folder, metadata["namespace"], metadata["name"]))},
        },
    }


def path(folder: Path, namespace: str, claim: str) -> Path:
    """Return where the data of a claim is."""
    return folder / namespace / claim


class Provisioner:
    """Makes a volume for each claim, and removes it with its data after the claim."""

    def __init__(self, client: AsyncClient, folder: Path) -> None:
        """:param folder: where the data is."""
        self._client = client
        self._folder = folder
        self._changed = asyncio.Event()
        self._claims = Informer(client, PersistentVolumeClaim, self._note)
        self._volumes = Informer(client, PersistentVolume, self._note)

    def _note(self, *_: object) -> None:
        self._changed.set()

    async def run(self) -> None:
        """Follow claims and volumes for ever.

        A claim's data is gone before another of its name, which would have the same folder, gets a volume.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._claims.run())
            group.create_task(self._volumes.run())
            await self._claims.synced.wait()
            await self._volumes.synced.wait()
            while True:
                await self._changed.wait()
                self._changed.clear()
                try:
                    await self._provide()
                except (ApiError, httpx2.HTTPError) as error:
                    _log.info("volumes: %s", error or type(error).__name__)
                    await asyncio.sleep(_AGAIN_SECONDS)
                    self._changed.set()

    async def _provide(self) -> None:
        found = plan(self._claims.items.values(), self._volumes.items.values(), self._folder)
        volumes: Mapping[str, Any] = {item["metadata"]["name"]: item for item in self._volumes.items.values()}
        for name in found.gone:
            if volumes[name]["metadata"].get("deletionTimestamp"):
                continue
            await asyncio.to_thread(shutil.rmtree, volumes[name]["spec"]["hostPath"]["path"], ignore_errors=True)
            await self._client.delete(PersistentVolume, name)
        for manifest in found.made:
            volume: Any = PersistentVolume.from_dict(dict(manifest))
            await self._client.create(volume)

"""A cache of all objects of a kind, filled by a list and updated by a watch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import httpx2
from lightkube import ApiError, AsyncClient
from lightkube.core.resource import GlobalResource

from lab.node.manifest import Manifest, key

_AGAIN_SECONDS: Final = 0.5
_log = logging.getLogger(__name__)

Changed = Callable[[str, Manifest | None], None]
"""Is told of an object that is new or other than before, by its key; with None of one that is gone."""


class Informer:
    """The objects of one kind in all namespaces, by ``namespace/name``."""

    def __init__(self, client: AsyncClient, resource: Any, changed: Changed) -> None:
        """:param resource: lightkube's class for the kind."""
        self._client = client
        self._resource = resource
        self._changed = changed
        self._everywhere: dict[str, Any] = {} if issubclass(resource, GlobalResource) else {"namespace": "*"}
        self.items: dict[str, dict[str, Any]] = {}
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """Follow the objects for ever; an API server that is away is asked again."""
        while True:
            try:
                await self._follow()
            except (ApiError, httpx2.HTTPError, ValueError) as error:
                _log.info("%s: %s; listing again", self._resource.__name__, error or type(error).__name__)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _follow(self) -> None:
        listing = self._client.list(self._resource, **self._everywhere)
        fresh = {}
        async for item in listing:
            manifest = item.to_dict()
            fresh[key(manifest)] = manifest
        for name in self.items.keys() - fresh.keys():
            self._drop(name)
        for name, manifest in fresh.items():
            self._take(name, manifest)
        self.synced.set()
        # The server ends a watch after some minutes; one that it forgot to end would be silent for ever.
        watch = self._client.watch(
            self._resource, **self._everywhere, resource_version=listing.resourceVersion, server_timeout=300
        )
        async for operation, item in watch:
            manifest = item.to_dict()
            if operation == "DELETED":
                self._drop(key(manifest))
            else:
                self._take(key(manifest), manifest)

    def _take(self, name: str, manifest: dict[str, Any]) -> None:
        known = self.items.get(name)
        if known and known["metadata"]["resourceVersion"] == manifest["metadata"]["resourceVersion"]:
            return
        self.items[name] = manifest
        self._changed(name, manifest)

    def _drop(self, name: str) -> None:
        if self.items.pop(name, None) is not None:
            self._changed(name, None)

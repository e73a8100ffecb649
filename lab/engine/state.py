"""The state of a stack: what exists, in Pulumi's deployment format version 3.

Source of the format: sdk/go/common/apitype of pulumi/pulumi (``DeploymentV3``, ``ResourceV3``, ``OperationV2``).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

import orjson

from lab import files
from lab.engine import values
from lab.engine.encryption import Crypter, passphrase_from
from lab.engine.errors import EngineError
from lab.engine.values import Properties

_OPTIONAL = (
    "id", "parent", "provider", "external", "protect", "retainOnDelete", "deletedWith", "delete", "initErrors",
    "dependencies", "propertyDependencies", "additionalSecretOutputs", "customTimeouts", "aliases", "created",
    "modified",
)  # fmt: skip


@dataclass
class Resource:
    """One resource of a stack.

    ``custom`` tells a provider's resource from a component, ``external`` one that was only read. ``timeouts`` are
    seconds by operation (create, update, delete). ``delete`` marks what a replacement left to be deleted.
    ``init_errors`` says why the resource must be applied again although its inputs did not change (a failed await, an
    interrupted run).
    """

    urn: str
    type: str
    custom: bool
    external: bool = False
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    id: str = ""
    parent: str = ""
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    protect: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    delete: bool = False
    init_errors: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    timeouts: Mapping[str, float] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    created: str = ""
    modified: str = ""

    def edges(self) -> Iterator[str]:
        """Yield the URNs that this resource needs, its parent and provider among them."""
        if self.parent:
            yield self.parent
        if self.provider:
            yield self.provider.rsplit("::", 1)[0]
        yield from self.needs()
        if self.deleted_with:
            yield self.deleted_with

    def needs(self) -> Iterator[str]:
        """Yield the URNs that this resource's program says it depends on."""
        yield from self.dependencies
        for urns in self.property_dependencies.values():
            yield from urns

    def renamed(self, names: Mapping[str, str]) -> Resource:
        """Return the resource with every URN in it looked up in ``names`` (old URN to new)."""

        def new(urn: str) -> str:
            return names.get(urn, urn)

        provider = self.provider
        if provider:
            urn, _, identifier = provider.rpartition("::")
            provider = f"{new(urn)}::{identifier}"
        return replace(
            self,
            urn=new(self.urn),
            parent=new(self.parent),
            provider=provider,
            dependencies=tuple(map(new, self.dependencies)),
            property_dependencies={k: tuple(map(new, v)) for k, v in self.property_dependencies.items()},
            deleted_with=new(self.deleted_with),
        )


@dataclass(frozen=True)
class Operation:
    """A provider call that was about to be made: recorded before it, struck off with its result."""

    resource: Resource
    type: str


@dataclass
class Snapshot:
    """All that a state file says."""

    resources: list[Resource] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)

    def outputs(self) -> Properties:
        """Return the stack's outputs."""
        return next((item.outputs for item in self.resources if item.type == "pulumi:pulumi:Stack"), {})


class Sealer:
    """Turns values with secrets into plain JSON and back, sealing each secret once for as long as it stays equal."""

    def __init__(self, crypter: Crypter) -> None:
        """:param crypter: seals and opens the secrets."""
        self._crypter = crypter
        self._sealed: dict[str, str] = {}

    def seal(self, plain: Any) -> dict[str, str]:
        """Return the map that stands for a secret."""
        text = json.dumps(plain, sort_keys=True)
        if text not in self._sealed:
            self._sealed[text] = self._crypter.seal(text)
        return {"ciphertext": self._sealed[text]}

    def unseal(self, sealed: Mapping[str, Any]) -> Any:
        """Return the plain value in a secret's map."""
        if "plaintext" in sealed:
            return json.loads(sealed["plaintext"])
        text = self._crypter.unseal(sealed["ciphertext"])
        self._sealed.setdefault(text, sealed["ciphertext"])
        return json.loads(text)


def open_secret(sealed: Mapping[str, Any]) -> Any:
    """Return the plain value of a secret exported with ``--show-secrets``."""
    return json.loads(sealed["plaintext"])


def resource_to_json(item: Resource, sealer: Sealer | None) -> dict[str, Any]:
    """Return a resource in the state's format.

    :param sealer: seals the secrets; None writes them in the clear (``stack export --show-secrets``).
    """
    seal = sealer.seal if sealer else lambda plain: {"plaintext": json.dumps(plain)}
    document: dict[str, Any] = {
        "urn": item.urn,
        "custom": item.custom,
        "type": item.type,
        "inputs": values.to_plain(item.inputs, seal),
        "outputs": values.to_plain(item.outputs, seal),
        "id": item.id,
        "parent": item.parent,
        "provider": item.provider,
        "external": item.external,
        "protect": item.protect,
        "retainOnDelete": item.retain_on_delete,
        "deletedWith": item.deleted_with,
        "delete": item.delete,
        "initErrors": list(item.init_errors),
        "dependencies": list(item.dependencies),
        "propertyDependencies": {key: list(urns) for key, urns in item.property_dependencies.items()},
        "additionalSecretOutputs": list(item.additional_secret_outputs),
        "customTimeouts": dict(item.timeouts),
        "aliases": list(item.aliases),
        "created": item.created,
        "modified": item.modified,
    }
    return {key: value for key, value in document.items() if value or key not in _OPTIONAL}


def resource_from_json(document: Mapping[str, Any], sealer: Sealer | None) -> Resource:
    """Return the resource that a state file's entry says."""
    unseal = sealer.unseal if sealer else open_secret
    return Resource(
        urn=document["urn"],
        type=document["type"],
        custom=document.get("custom", False),
        inputs=values.from_plain(document.get("inputs") or {}, unseal),
        outputs=values.from_plain(document.get("outputs") or {}, unseal),
        id=document.get("id", ""),
        parent=document.get("parent", ""),
        provider=document.get("provider", ""),
        external=document.get("external", False),
        dependencies=tuple(document.get("dependencies") or ()),
        property_dependencies={k: tuple(v or ()) for k, v in (document.get("propertyDependencies") or {}).items()},
        protect=document.get("protect", False),
        retain_on_delete=document.get("retainOnDelete", False),
        deleted_with=document.get("deletedWith", ""),
        delete=document.get("delete", False),
        init_errors=tuple(document.get("initErrors") or ()),
        additional_secret_outputs=tuple(document.get("additionalSecretOutputs") or ()),
        timeouts=document.get("customTimeouts") or {},
        aliases=tuple(document.get("aliases") or ()),
        created=document.get("created", ""),
        modified=document.get("modified", ""),
    )


def now() -> str:
    """Return the time in the state's format (RFC 3339, UTC)."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _manifest() -> dict[str, str]:
    return {"time": now(), "magic": "", "version": "lab.engine"}


class StateFile:
    """The file of one stack. ``write`` is atomic: a reader sees the state before or after, never between."""

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        """:param environment: names the passphrase (see ``encryption.passphrase_from``)."""
        self.path = path
        self._environment = environment
        self._sealer: Sealer | None = None
        self._salt_text = ""
        self._lock: IO[str] | None = None
        self._texts: dict[int, tuple[Resource, bytes]] = {}

    def __enter__(self) -> Self:
        """Take the stack's lock.

        :raises EngineError: if another run holds it, or the folder cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = files.lock(self.path.with_suffix(".lock"))
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            message = f"state folder {self.path.parent}: {reason}; set PULUMI_BACKEND_URL to one you may write"
            raise EngineError(message) from error
        except files.HeldError as error:
            message = f"stack {self.path.stem}: another run (process {error.holder}) is changing it; wait for it to end"
            raise EngineError(message) from error
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lock back."""
        if self._lock:
            self._lock.close()
            self._lock = None

    def read(self) -> Snapshot:
        """Return what the file says; an absent file is an empty stack.

        :raises EngineError: if it is no state file, or the passphrase does not open it.
        """
        if not self.path.exists():
            return Snapshot()
        try:
            document = orjson.loads(self.path.read_bytes())
            deployment = document["deployment"]
            version = document["version"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = (
                f"state file {self.path}: not a Pulumi deployment ({type(error).__name__}); restore it from a backup"
            )
            raise EngineError(message) from error
        if version != 3:  # noqa: PLR2004 the format's own number
            message = f"state file {self.path}: deployment version {version}; this engine reads version 3"
            raise EngineError(message)
        salt_text = deployment.get("secrets_providers", {}).get("state", {}).get("salt", "")
        if salt_text:
            crypter = Crypter.open(passphrase_from(self._environment), salt_text, str(self.path))
            self._sealer, self._salt_text = Sealer(crypter), salt_text
        sealer = self._sealer
        return Snapshot(
            [resource_from_json(item, sealer) for item in deployment.get("resources") or ()],
            [
                Operation(resource_from_json(item["resource"], sealer), item["type"])
                for item in deployment.get("pending_operations") or ()
            ],
        )

    def prepare(self) -> None:
        """Find the passphrase before anything is touched.

        :raises EngineError: if there is none.
        """
        if self._sealer is None:
            crypter = Crypter.new(passphrase_from(self._environment))
            self._sealer, self._salt_text = Sealer(crypter), crypter.salt_text

    def encode(self, resources: Iterable[Resource], operations: Iterable[Operation]) -> bytes:
        """Return the file's content; the text of a resource that did not change since the last call is reused.

        :raises EngineError: if there is no passphrase to seal the secrets with.
        """
        self.prepare()
        texts: dict[int, tuple[Resource, bytes]] = {}
        parts = []
        for item in resources:
            known = self._texts.get(id(item))
            text = known[1] if known else orjson.dumps(resource_to_json(item, self._sealer))
            texts[id(item)] = (item, text)
            parts.append(text)
        self._texts = texts
        pending = [
            orjson.dumps({"resource": resource_to_json(item.resource, self._sealer), "type": item.type})
            for item in operations
        ]
        head = orjson.dumps({"manifest": _manifest(), **self._providers()})
        return b"".join(
            (
                b'{"version":3,"deployment":',
                head[:-1],
                b',"resources":[\n',
                b",\n".join(parts),
                b'\n],"pending_operations":[',
                b",\n".join(pending),
                b"]}}\n",
            )
        )

    def export(self, snapshot: Snapshot, *, show_secrets: bool = False) -> str:
        """Return the state as indented JSON, secrets sealed unless they are to be shown."""
        if show_secrets:
            sealer, providers = None, {}
        else:
            self.prepare()
            sealer, providers = self._sealer, self._providers()
        document = {
            "version": 3,
            "deployment": {
                "manifest": _manifest(),
                **providers,
                "resources": [resource_to_json(item, sealer) for item in snapshot.resources],
                "pending_operations": [
                    {"resource": resource_to_json(item.resource, sealer), "type": item.type}
                    for item in snapshot.operations
                ],
            },
        }
        return json.dumps(document, indent=4)

    def _providers(self) -> dict[str, Any]:
        return {"secrets_providers": {"type": "passphrase", "state": {"salt": self._salt_text}}}

    def write(self, content: bytes) -> None:
        """Replace the file.

        :raises EngineError: if the disk is full or the folder may not be written.
        """
        try:
            files.replace(self.path, content)
        except OSError as error:
            message = f"state file {self.path}: {os.strerror(error.errno or 0)}; the last complete state is kept"
            raise EngineError(message) from error


class Journal:
    """The state of a run under way: every change is on disk before ``save`` returns.

    Changes that come while a write is under way go into the next one together. A resource is never changed in
    place: a new object stands for its new state, which is how ``StateFile.encode`` knows what to write anew.
    """

    def __init__(self, file: StateFile | None, snapshot: Snapshot) -> None:
        """:param file: None keeps the state in memory only (previews, tests)."""
        self._file = file
        self.previous: dict[str, Resource] = {item.urn: item for item in snapshot.resources if not item.delete}
        self.doomed: list[Resource] = [item for item in snapshot.resources if item.delete]
        self.current: dict[str, Resource] = {}
        self.operations: dict[int, Operation] = {}
        self._wanted = 0
        self._written = 0
        self._writing = asyncio.Lock()

    def get(self, urn: str) -> Resource | None:
        """Return a resource as it stands now."""
        return self.current.get(urn) or self.previous.get(urn)

    def put(self, resource: Resource) -> None:
        """Record what this run made of a resource; ``save`` puts it on disk."""
        self.current[resource.urn] = resource

    def drop(self, resource: Resource) -> None:
        """Forget a resource that is no more."""
        self.doomed = [item for item in self.doomed if item is not resource]
        for known in (self.current, self.previous):
            if known.get(resource.urn) is resource:
                del known[resource.urn]

    def supersede(self, old: Resource) -> None:
        """Mark a resource that has a replacement as one to be deleted."""
        self.drop(old)
        self.doomed.append(replace(old, delete=True))

    def rename(self, old: str, new: str) -> None:
        """Give a resource of the previous run, found by an alias, its new URN."""
        names = {old: new}
        renamed = [item.renamed(names) if old in (item.urn, *item.edges()) else item for item in self.previous.values()]
        self.previous = {item.urn: item for item in renamed}

    def forget_dangling(self) -> None:
        """Strike off dependencies on resources that are no more."""
        known = {item.urn for item in self.resources()}
        for urn, item in self.previous.items():
            if not known.issuperset(item.needs()):
                self.previous[urn] = replace(
                    item,
                    dependencies=tuple(filter(known.__contains__, item.dependencies)),
                    property_dependencies={
                        key: tuple(filter(known.__contains__, found))
                        for key, found in item.property_dependencies.items()
                    },
                )

    def resources(self) -> list[Resource]:
        """Return all that exists: what this run has handled, then what it has not, then what is to be deleted."""
        rest = [item for urn, item in self.previous.items() if urn not in self.current]
        return [*self.current.values(), *rest, *self.doomed]

    async def save(self) -> None:
        """Put the state as it is now on disk."""
        if self._file is None:
            return
        self._wanted += 1
        ticket = self._wanted
        async with self._writing:
            if self._written >= ticket:
                return
            covered = self._wanted
            content = self._file.encode(self.resources(), self.operations.values())
            await asyncio.to_thread(self._file.write, content)
            self._written = covered

    async def begin(self, kind: str, resource: Resource) -> Operation:
        """Record that a provider call is about to be made."""
        operation = Operation(resource, kind)
        self.operations[id(operation)] = operation
        await self.save()
        return operation

    def end(self, operation: Operation) -> None:
        """Strike a provider call off; the caller saves with its result."""
        self.operations.pop(id(operation), None)

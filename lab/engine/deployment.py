"""One run against a stack's state: what each registration comes to, and what is deleted after the program."""

from __future__ import annotations

import asyncio
import base64
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import Any, Final

from pulumi.runtime.proto.callback_pb2 import Callback

from lab.engine import plan, values
from lab.engine import urn as urns
from lab.engine.errors import EngineError
from lab.engine.plan import Step
from lab.engine.provider import (
    Child,
    Construction,
    Context,
    Diff,
    ImmutableFieldError,
    Live,
    Provider,
    ProviderError,
)
from lab.engine.providers import Providers
from lab.engine.report import Change, Report
from lab.engine.state import Journal, Operation, Resource, now
from lab.engine.transforms import transformed
from lab.engine.values import UNKNOWN, Properties, ResourceReference, mark_like, reveal

STACK_REFERENCE: Final = "pulumi:pulumi:StackReference"
_INTERRUPTED: Final = "interrupted"


class StoppedError(Exception):
    """The run has failed, so that nothing new begins; the report has said why."""


@dataclass(frozen=True)
class Registration:
    """What a program asks for: a resource of a provider (``custom``), a component, or a remote component.

    ``provider`` is the reference ``<urn>::<id>`` of a provider resource, empty for the default one. ``protect`` and
    ``retain_on_delete`` are None where the program says nothing. ``timeouts`` are seconds by operation.
    """

    type: str
    name: str
    custom: bool = True
    remote: bool = False
    parent: str = ""
    inputs: Properties = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    provider: str = ""
    version: str = ""
    aliases: tuple[str, ...] = ()
    protect: bool | None = None
    retain_on_delete: bool | None = None
    deleted_with: str = ""
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    delete_before_replace: bool | None = None
    additional_secret_outputs: tuple[str, ...] = ()
    timeouts: Mapping[str, float] = field(default_factory=dict)
    transforms: tuple[Callback, ...] = ()


@dataclass(frozen=True)
class _Work:
    """A custom resource on its way: what is asked for, what it was, and who makes it."""

    registration: Registration
    goal: Resource
    old: Resource | None
    provider: Provider


class Deployment:
    """Handles registrations as they come, many at a time."""

    def __init__(
        self,
        stack: str,
        project: str,
        journal: Journal,
        providers: Providers,
        report: Report,
        *,
        preview: bool,
        parallel: int = 16,
        settings: Mapping[str, Properties] | None = None,
        stack_outputs: Callable[[str], Properties | None] | None = None,
    ) -> None:
        """Start a run.

        :param parallel: how many provider calls may be under way at a time.
        :param settings: those of the default providers, by package.
        :param stack_outputs: finds the outputs of the stack that a StackReference names; None: they are not known.
        """
        self._stack, self._project = stack, project
        self.journal = journal
        self._providers = providers
        self._report = report
        self._preview = preview
        self._slots = asyncio.Semaphore(parallel)
        self._settings = settings or {}
        self._stack_outputs = stack_outputs
        self._claimed: set[str] = set()
        self._renamed: dict[str, str] = {}
        self._deleted_first: dict[str, Resource] = {}
        self._secrets: set[str] = set()
        self._transforms: dict[str, tuple[Callback, ...]] = {}
        self.changes: list[Change] = []
        self.failed = False
        self.active = 0

    # --- what the program asks for ---

    async def register(self, registration: Registration) -> Resource:
        """Make a resource what the program wants it to be, and return it.

        :raises StoppedError: if that, or anything before it, failed.
        """
        return await self._guard(self._urn(registration), self._register(registration))

    async def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Record the outputs of a component."""
        known = self.journal.get(urn)
        if known is None:
            message = f"outputs registered for {urn}, which is no resource of this run"
            raise EngineError(message)
        self._remember(outputs)
        self.journal.put(replace(known, outputs=outputs))

    async def read(self, registration: Registration, identifier: Any) -> Resource:
        """Return a resource that the program did not make, and record it as external.

        :raises StoppedError: if it is not there.
        """
        return await self._guard(self._urn(registration), self._read(registration, identifier))

    async def _guard(self, urn: str, work: Coroutine[Any, Any, Resource]) -> Resource:
        if self.failed:
            work.close()
            raise StoppedError
        self.active += 1
        try:
            return await work
        except (ProviderError, EngineError) as error:
            self.fail(str(error), urn)
            raise StoppedError from error
        finally:
            self.active -= 1

    def fail(self, text: str, urn: str = "") -> None:
        """Report an error; nothing new begins from here on."""
        self.failed = True
        self._report.message("error", self.scrub(text), urn)

    def scrub(self, text: str) -> str:
        """Return the text without any secret that this run has seen."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            for form in (secret, base64.b64encode(secret.encode()).decode()):
                text = text.replace(form, "[secret]")
        return text

    def _remember(self, value: Any) -> None:
        shortest = 4
        self._secrets.update(text for text in values.secret_texts(value) if len(text) >= shortest)

    def _claim(self, registration: Registration) -> str:
        """Return the URN of a registration, which none has had in this run.

        :raises EngineError: if one has.
        """
        urn = self._urn(registration)
        if urn in self._claimed:
            message = f"duplicate resource URN {urn}: give one of the two resources another name"
            raise EngineError(message)
        self._claimed.add(urn)
        return urn

    def _urn(self, registration: Registration) -> str:
        return urns.make(self._stack, self._project, registration.parent, registration.type, registration.name)

    async def _register(self, registration: Registration) -> Resource:
        urn = self._claim(registration)
        self._transforms[urn] = (*registration.transforms, *self._transforms.get(registration.parent, ()))
        for callback in self._transforms[urn]:
            registration = await transformed(registration, callback)
        self._remember(registration.inputs)
        old = self._find(urn, registration)
        goal = self._goal(urn, registration)
        if registration.type.startswith(urns.PROVIDER_PREFIX):
            return self._register_provider(goal, old)
        if not registration.custom and not registration.remote:
            return self._record(goal, old, Change(_component_step(goal, old), old, goal))
        work = self._with_provider(registration, goal, old)
        return await (self._construct(work) if registration.remote else self._apply(work))

    def _find(self, urn: str, registration: Registration) -> Resource | None:
        """Return the resource's state from the run before, under this URN or one that it had then."""
        candidates = list(registration.aliases)
        if registration.parent in self._renamed:
            before = self._renamed[registration.parent]
            name = registration.name
            if name.startswith(urns.name_of(registration.parent)):
                name = urns.name_of(before) + name.removeprefix(urns.name_of(registration.parent))
            candidates.append(urns.make(self._stack, self._project, before, registration.type, name))
        for alias in candidates:
            if urn not in self.journal.previous and alias in self.journal.previous and alias not in self._claimed:
                self.journal.rename(alias, urn)
                self._renamed[urn] = alias
        return self.journal.previous.get(urn)

    def _goal(self, urn: str, registration: Registration) -> Resource:
        parent = self.journal.get(registration.parent) if registration.parent else None

        def inherited(own: bool | None, parents: bool) -> bool:
            return parents if own is None else own

        return Resource(
            urn=urn,
            type=registration.type,
            custom=registration.custom,
            inputs=registration.inputs,
            parent=registration.parent,
            dependencies=tuple(sorted(registration.dependencies)),
            property_dependencies={
                key: tuple(sorted(found)) for key, found in sorted(registration.property_dependencies.items())
            },
            protect=inherited(registration.protect, parent.protect if parent else False),
            retain_on_delete=inherited(registration.retain_on_delete, parent.retain_on_delete if parent else False),
            deleted_with=registration.deleted_with or (parent.deleted_with if parent else ""),
            additional_secret_outputs=registration.additional_secret_outputs,
            timeouts=registration.timeouts,
            aliases=registration.aliases,
        )

    # --- components and providers ---

    def _record(self, goal: Resource, old: Resource | None, change: Change, seconds: float = 0) -> Resource:
        """Put a resource's new state in the journal and tell of it.

        A component keeps its outputs until it registers new ones.
        """
        outputs = old.outputs if old and not goal.custom and not goal.outputs else goal.outputs
        moment = now()
        made = replace(
            goal,
            outputs=outputs,
            created=old.created if old and change.step is not Step.REPLACE else moment,
            modified=old.modified if old and change.step is Step.SAME else moment,
        )
        if change.step is Step.SAME and old is not None and replace(made, aliases=old.aliases) == old:
            made = old
        self.journal.put(made)
        self._tell(replace(change, new=made), seconds)
        return made

    def _tell(self, change: Change, seconds: float = 0) -> None:
        self.changes.append(change)
        self._report.end(change, seconds)

    def _register_provider(self, goal: Resource, old: Resource | None) -> Resource:
        identifier = old.id if old else str(uuid.uuid4())
        step = _component_step(goal, old)
        goal = replace(goal, id=identifier, outputs=goal.inputs)
        self._providers.get(goal)
        return self._record(goal, old, Change(step, old, goal))

    def _with_provider(self, registration: Registration, goal: Resource, old: Resource | None) -> _Work:
        package = urns.package_of(registration.type)
        self._providers.require(package, f"{registration.type} {registration.name}")
        if registration.provider:
            found = self.journal.get(registration.provider.rpartition("::")[0])
            if found is None:
                message = f"{goal.urn}: its provider {registration.provider} is no resource of this stack"
                raise EngineError(message)
        else:
            found = self._default_provider(package, registration.version)
        goal = replace(goal, provider=f"{found.urn}::{found.id}")
        return _Work(registration, goal, old, self._providers.get(found))

    def _default_provider(self, package: str, version: str) -> Resource:
        name = f"default_{version.replace('.', '_')}" if version else "default"
        type_token = f"{urns.PROVIDER_PREFIX}{package}"
        urn = urns.make(self._stack, self._project, "", type_token, name)
        if urn in self._claimed:
            return self.journal.current[urn]
        inputs = {**({"version": version} if version else {}), **self._settings.get(package, {})}
        goal = Resource(urn=urn, type=type_token, custom=True, inputs=inputs)
        made = self._register_provider(goal, self.journal.previous.get(urn))
        self._claimed.add(urn)
        return made

    def _provider_of(self, resource: Resource) -> Provider:
        urn = resource.provider.rpartition("::")[0]
        found = self.journal.get(urn)
        if found is None:
            message = f"{resource.urn}: its provider {urn} is not in the state; restore the state file from a backup"
            raise EngineError(message)
        return self._providers.get(found)

    async def _construct(self, work: _Work) -> Resource:
        """Register what a remote component consists of, wave by wave."""
        goal, old = work.goal, work.old
        construction = await work.provider.construct(self._context(goal, "create"), reveal(goal.inputs))
        change = Change(_component_step(goal, old), old, goal, note=construction.opaque or "")
        resource = self._record(replace(goal, custom=False), old, change)
        if construction.opaque:
            kept = plan.descendants(self.journal.previous.values()).get(goal.urn, set())
            for urn in kept:
                self._claimed.add(urn)
                self.journal.put(self.journal.previous[urn])
            self.journal.put(unknown := replace(resource, outputs={"resources": UNKNOWN}))
            return unknown
        children = await self._register_waves(work, construction)
        outputs = {"resources": [ResourceReference(child.urn, child.id or UNKNOWN) for child in children]}
        resource = replace(resource, outputs=outputs)
        self.journal.put(resource)
        return resource

    async def _register_waves(self, work: _Work, construction: Construction) -> list[Resource]:
        texts = values.secret_texts(work.goal.inputs)
        children: list[Resource] = []
        before: tuple[str, ...] = ()
        for wave in construction.waves:
            registrations = [self._child(work, child, before, texts) for child in wave]
            made = await asyncio.gather(*map(self.register, registrations), return_exceptions=True)
            for item in made:
                if isinstance(item, BaseException):
                    raise item
                children.append(item)
            before = tuple(item.urn for item in children[-len(made) :])
        return children

    def _child(self, work: _Work, child: Child, before: tuple[str, ...], secrets: set[str]) -> Registration:
        return Registration(
            type=child.type,
            name=child.name,
            parent=work.goal.urn,
            inputs=_mark_texts(child.inputs, secrets) if secrets else child.inputs,
            dependencies=(*work.registration.dependencies, *before),
            provider=work.goal.provider,
            version=work.registration.version,
            timeouts=work.registration.timeouts,
        )

    # --- resources of a provider ---

    def _context(self, resource: Resource, operation: str) -> Context:
        return Context(
            urn=resource.urn,
            type=resource.type,
            name=urns.name_of(resource.urn),
            preview=self._preview,
            timeout=resource.timeouts.get(operation),
            status=lambda text: self._report.status(resource.urn, self.scrub(text)),
        )

    async def _apply(self, work: _Work) -> Resource:
        registration, goal, old = work.registration, work.goal, work.old
        inputs = goal.inputs
        if old and registration.ignore_changes:
            inputs = plan.ignore_changes(registration.ignore_changes, old.inputs, inputs)
        checked = await work.provider.check(
            self._context(goal, "create"), reveal(old.inputs) if old else None, reveal(inputs)
        )
        work = replace(work, goal=replace(goal, inputs=mark_like(checked, inputs)))
        if old is None:
            before = self._deleted_first.get(goal.urn)
            return await self._create(work, Change(Step.REPLACE if before else Step.CREATE, before, work.goal))
        difference = await self._difference(work, old)
        if difference.replace_paths:
            return await self._replace(work, old, difference)
        if difference.paths or old.init_errors:
            return await self._update(work, old, difference)
        same = replace(work.goal, id=old.id, outputs=self._marked(work, reveal(old.outputs)))
        return self._record(same, old, Change(Step.SAME, old, same))

    async def _difference(self, work: _Work, old: Resource) -> Diff:
        goal = work.goal
        found = await work.provider.diff(
            self._context(goal, "update"), reveal(old.inputs), reveal(old.outputs), reveal(goal.inputs)
        )
        asked = tuple(
            path
            for path in found.paths
            if any(plan.path_matches(pattern, path) for pattern in work.registration.replace_on_changes)
        )
        return replace(found, replace_paths=(*found.replace_paths, *_provider_moved(old, goal), *asked))

    def _marked(self, work: _Work, outputs: Properties) -> Properties:
        """Return outputs with every secret among them marked."""
        always = {*work.provider.secret_outputs(work.goal.type), *work.goal.additional_secret_outputs}
        marked = {
            key: values.secret(value) if key in always else value
            for key, value in mark_like(outputs, work.goal.inputs).items()
        }
        self._remember(marked)
        return marked

    async def _create(self, work: _Work, change: Change) -> Resource:
        goal = work.goal
        context = self._context(goal, "create")
        if self._preview:
            async with self._slots:
                _, outputs = await work.provider.create(context, reveal(goal.inputs))
            self._supersede(work)
            # An id that is not known yet is an empty one on the wire.
            return self._record(replace(goal, outputs=self._marked(work, outputs)), change.old, change)
        async with self._slots:
            operation = await self.journal.begin("creating", goal)
            self._report.begin(change)
            started = time.monotonic()
            try:
                identifier, outputs = await work.provider.create(context, reveal(goal.inputs))
            except ProviderError as error:
                await self._half_made(work, operation, error)
                raise
        self.journal.end(operation)
        self._supersede(work)
        made = replace(goal, id=identifier, outputs=self._marked(work, outputs))
        resource = self._record(made, change.old, change, time.monotonic() - started)
        await self.journal.save()
        return resource

    def _supersede(self, work: _Work) -> None:
        """Leave the resource that has now been replaced to be deleted; both are in the state's next write."""
        if work.old:
            self.journal.supersede(work.old)

    async def _half_made(self, work: _Work, operation: Operation, error: ProviderError) -> None:
        """Record what a failed creation left behind; if that cannot be found out, the next run does."""
        goal = work.goal
        try:
            live = await work.provider.read(self._context(goal, "read"), None, reveal(goal.inputs), {})
        except ProviderError:
            return
        self.journal.end(operation)
        if live:
            self._supersede(work)
            outputs = self._marked(work, live.outputs)
            reason = (self.scrub(str(error)),)
            self.journal.put(replace(goal, id=live.id, outputs=outputs, init_errors=reason, created=now()))
        await self.journal.save()

    async def _update(self, work: _Work, old: Resource, difference: Diff) -> Resource:
        goal = replace(work.goal, id=old.id)
        change = Change(Step.UPDATE, old, goal, difference.paths)
        context = self._context(goal, "update")
        operation = None
        started = time.monotonic()
        try:
            async with self._slots:
                if not self._preview:
                    operation = await self.journal.begin("updating", replace(goal, outputs=old.outputs))
                    self._report.begin(change)
                outputs = await work.provider.update(context, old.id, reveal(old.outputs), reveal(goal.inputs))
        except ImmutableFieldError:
            if operation:
                self.journal.end(operation)
            # The server refused the change as a whole, and does not say for which of the fields.
            found = replace(difference, replace_paths=difference.paths, delete_before_replace=True)
            return await self._replace(work, old, found)
        except ProviderError as error:
            if operation:
                self.journal.end(operation)
                self.journal.put(replace(old, init_errors=(self.scrub(str(error)),)))
                await self.journal.save()
            raise
        if operation:
            self.journal.end(operation)
        made = replace(goal, outputs=self._marked(work, outputs))
        resource = self._record(made, old, change, time.monotonic() - started)
        if operation:
            await self.journal.save()
        return resource

    async def _replace(self, work: _Work, old: Resource, difference: Diff) -> Resource:
        change = Change(Step.REPLACE, old, work.goal, difference.paths, difference.replace_paths)
        asked = work.registration.delete_before_replace
        if difference.delete_before_replace if asked is None else asked:
            if old.protect:
                raise EngineError(_protected(old))
            dependents = await self._replaced_with(old)
            for item in (*dependents, old):
                self._deleted_first[item.urn] = item
                await self._delete(item, {old.urn, *(other.urn for other in dependents)})
            return await self._create(replace(work, old=None), change)
        renamed = await work.provider.rename(
            self._context(work.goal, "create"), reveal(old.inputs), reveal(work.goal.inputs)
        )
        goal = replace(work.goal, inputs=mark_like(renamed, work.goal.inputs))
        return await self._create(replace(work, goal=goal), replace(change, new=goal))

    async def _replaced_with(self, target: Resource) -> list[Resource]:
        """Return which dependents cannot outlive a resource that is deleted before it is replaced, furthest first.

        These are the ones that would have to be replaced whatever the value becomes that they take from it.
        """
        lost = {target.urn}
        found: list[Resource] = []
        for item in reversed(plan.dependents(self.journal.previous, target.urn)):
            touched = [key for key, needed in item.property_dependencies.items() if lost & set(needed)]
            if not touched or not item.custom or item.urn in self.journal.current or not item.provider:
                continue
            guessed = reveal(item.inputs) | dict.fromkeys(touched, UNKNOWN)
            difference = await self._provider_of(item).diff(
                self._context(item, "update"), reveal(item.inputs), reveal(item.outputs), guessed
            )
            if difference.replace_paths:
                if item.protect:
                    raise EngineError(_protected(item))
                lost.add(item.urn)
                found.insert(0, item)
        return found

    # --- reading ---

    async def _read(self, registration: Registration, identifier: Any) -> Resource:
        urn = self._claim(registration)
        goal = replace(self._goal(urn, registration), external=True)
        old = self._find(urn, registration)
        if registration.type == STACK_REFERENCE:
            outputs = self._referenced(str(identifier))
            goal = replace(goal, id=str(identifier), outputs=outputs)
            return self._record(goal, old, Change(Step.READ, old, goal))
        work = self._with_provider(registration, goal, old)
        goal = work.goal
        if identifier is UNKNOWN or values.has_unknown(registration.inputs):
            return self._record(goal, old, Change(Step.READ, old, goal))
        async with self._slots:
            live = await work.provider.read(
                self._context(goal, "read"), reveal(identifier), reveal(registration.inputs), {}
            )
        if live is None:
            message = f"{registration.type} {registration.name}: there is none with the id {identifier}"
            raise EngineError(message)
        goal = replace(goal, id=live.id, inputs=live.inputs, outputs=self._marked(work, live.outputs))
        return self._record(goal, old, Change(Step.READ, old, goal))

    def _referenced(self, name: str) -> Properties:
        if self._stack_outputs is None:
            message = f"StackReference {name}: this run knows no other stacks"
            raise EngineError(message)
        outputs = self._stack_outputs(name)
        if outputs is None:
            return {"name": name, "outputs": UNKNOWN, "secretOutputNames": UNKNOWN}
        secret = [key for key, value in outputs.items() if values.has_secret(value)]
        return {"name": name, "outputs": outputs, "secretOutputNames": secret}

    # --- what is left over: interrupted calls before the program, deletions after it ---

    async def recover(self, operations: Sequence[Operation]) -> None:
        """Find out what became of the provider calls during which an earlier run was killed.

        :raises EngineError: if that cannot be found out now; the state stays as it is then.
        """
        for operation in operations:
            resource = operation.resource
            known = self.journal.previous.get(resource.urn)
            if operation.type == "updating" and known:
                self.journal.previous[resource.urn] = replace(known, init_errors=(_INTERRUPTED,))
            elif operation.type == "deleting" and known and known.id == resource.id:
                await self._recover_deletion(known)
            elif operation.type == "creating":
                await self._recover_creation(resource, known)
        if operations and not self._preview:
            await self.journal.save()

    async def _recover_deletion(self, known: Resource) -> None:
        if await self._look(known, known.id, reveal(known.outputs)) is None:
            self.journal.drop(known)

    async def _look(self, resource: Resource, identifier: str | None, outputs: Properties) -> Live | None:
        """Return what an interrupted call left.

        :raises EngineError: if that cannot be found out.
        """
        context = self._context(resource, "read")
        try:
            return await self._provider_of(resource).read(context, identifier, reveal(resource.inputs), outputs)
        except ProviderError as error:
            message = (
                f"an earlier run was killed while it made or deleted {resource.urn}; whether it exists is not known:"
                f" {error}"
            )
            raise EngineError(message) from error

    async def _recover_creation(self, resource: Resource, known: Resource | None) -> None:
        provider = self._provider_of(resource)
        live = await self._look(resource, None, {})
        if live is None:
            return
        work = _Work(Registration(resource.type, urns.name_of(resource.urn)), resource, None, provider)
        if known and known.id != live.id:
            self.journal.supersede(known)
        outputs = self._marked(work, live.outputs)
        self.journal.previous[resource.urn] = replace(
            resource, id=live.id, outputs=outputs, init_errors=(_INTERRUPTED,), created=now()
        )

    async def refresh(self) -> None:
        """Make the state say what is outside; nothing outside changes, and nothing is put on disk.

        :raises StoppedError: if a resource cannot be read.
        """
        items = [item for item in self.journal.previous.values() if item.custom and item.provider and not item.external]
        await asyncio.gather(*(self._guard(item.urn, self._refresh(item)) for item in items), return_exceptions=True)
        if self.failed:
            raise StoppedError
        self.journal.forget_dangling()

    async def _refresh(self, item: Resource) -> Resource:
        provider = self._provider_of(item)
        context = self._context(item, "read")
        async with self._slots:
            live = await provider.read(context, item.id, reveal(item.inputs), reveal(item.outputs))
        if live is None:
            self.journal.drop(item)
            self._tell(Change(Step.DELETE, item, None))
            return item
        work = _Work(Registration(item.type, context.name), item, None, provider)
        inputs = mark_like(live.inputs, item.inputs)
        found = replace(item, id=live.id, inputs=inputs, outputs=self._marked(work, live.outputs))
        paths = tuple(plan.changed_paths(reveal(item.inputs), live.inputs))
        self.journal.previous[item.urn] = found
        self._tell(Change(Step.UPDATE if paths else Step.SAME, item, found, paths))
        return found

    async def delete_unclaimed(self) -> None:
        """Delete what the program did not ask for any more, and what replacements left.

        :raises StoppedError: if a deletion failed, or a protected resource stands in the way of all.
        """
        left = [item for urn, item in self.journal.previous.items() if urn not in self.journal.current]
        doomed = [*left, *self.journal.doomed]
        protected = [item for item in doomed if item.protect]
        for item in protected:
            self.fail(_protected(item), item.urn)
        if protected:
            raise StoppedError
        names = {item.urn for item in left}
        before = plan.deletion_order(doomed)
        items = {id(item): item for item in doomed}
        sorter = TopologicalSorter(before)
        sorter.prepare()
        running: dict[asyncio.Task[None], int] = {}
        while sorter.is_active() and (running or not self.failed):
            for key in () if self.failed else sorter.get_ready():
                running[asyncio.create_task(self._delete(items[key], names))] = key
            if not running:
                break
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                key = running.pop(task)
                error = task.exception()
                if isinstance(error, ProviderError | EngineError):
                    self.fail(str(error), items[key].urn)
                elif error:
                    raise error
                else:
                    sorter.done(key)
        if self.failed:
            raise StoppedError

    async def _delete(self, item: Resource, with_it: set[str]) -> None:
        """Delete one resource, or only forget it where there is nothing to call for."""
        step = Step.DELETE_REPLACED if item.delete or item.urn in self._deleted_first else Step.DELETE
        change = Change(step, item, None)
        quiet = not item.custom or item.external or item.type.startswith(urns.PROVIDER_PREFIX)
        kept = item.retain_on_delete or item.deleted_with in with_it
        started = time.monotonic()
        if not (quiet or kept or self._preview):
            provider = self._provider_of(item)
            async with self._slots:
                operation = await self.journal.begin("deleting", item)
                self._report.begin(change)
                try:
                    await provider.delete(self._context(item, "delete"), item.id, reveal(item.outputs))
                finally:
                    self.journal.end(operation)
        self.journal.drop(item)
        if not item.external:
            self._tell(change, time.monotonic() - started)
        if not self._preview:
            await self.journal.save()


def _component_step(goal: Resource, old: Resource | None) -> Step:
    if old is None:
        return Step.CREATE
    return Step.SAME if old.inputs == goal.inputs else Step.UPDATE


def _protected(item: Resource) -> str:
    return (
        f"{item.urn} is protected and would be deleted; take protect=True out of the program and run up, then try again"
    )


def _provider_moved(old: Resource, new: Resource) -> Iterable[str]:
    """Say that a resource goes to another explicit provider, which is to say to another cluster."""
    before, after = (item.provider.rpartition("::")[0] for item in (old, new))
    both_default = all(urns.name_of(item).startswith("default") for item in (before, after) if item)
    return ("provider",) if before and before != after and not both_default else ()


def _mark_texts(value: Any, secrets: set[str]) -> Any:
    """Mark secret every text that holds one of the secrets."""
    if isinstance(value, dict):
        return {key: _mark_texts(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_mark_texts(item, secrets) for item in value]
    if isinstance(value, str) and any(secret in value for secret in secrets):
        return values.secret(value)
    return value

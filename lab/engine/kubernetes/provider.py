"""Makes, changes and deletes objects of one Kubernetes cluster."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from lab.engine.kubernetes import awaiting, charts, objects
from lab.engine.kubernetes.client import FIELD_MANAGER, ApiError, Client, Location
from lab.engine.kubernetes.objects import Reference
from lab.engine.provider import Construction, Context, Diff, Live, ProviderError
from lab.engine.values import Properties, has_unknown

_SETTINGS: Final = frozenset({"kubeconfig", "context", "namespace"})
_KIND_PATIENCE: Final = 60.0
"""Seconds for which a kind that is not served yet is waited for."""


class KubernetesProvider:
    """The ``kubernetes`` package, by server-side apply under its own field manager."""

    def __init__(self, settings: Properties, directory: Path, offline: bool) -> None:
        """Take the settings; nothing is contacted before it is needed, and offline nothing at all.

        :param settings: ``kubeconfig`` (path or contents), ``context`` and ``namespace``; those absent or
            empty come from ``KUBECONFIG`` or ``~/.kube/config``.
        :param directory: the program's, which paths of charts are relative to.
        :raises ProviderError: if a setting is not supported.
        """
        given = {key: value for key, value in settings.items() if value not in (None, "")}
        unsupported = sorted(given.keys() - _SETTINGS - {"version"})
        if unsupported:
            raise ProviderError(
                f"kubernetes: {', '.join(unsupported)} not supported; this engine's provider has"
                f" {', '.join(sorted(_SETTINGS))}"
            )
        self._directory = directory
        self._offline = offline
        self._given = given
        self._client = Client(given)

    async def check(self, context: Context, old_inputs: Properties | None, inputs: Properties) -> Properties:
        """Fill in apiVersion, kind, namespace and a generated name."""
        namespace = self._given.get("namespace") or ("default" if self._offline else self._client.default_namespace())
        checked = objects.complete(context.urn, context.type, context.name, inputs, old_inputs, namespace)
        awaiting.check_wait_for(checked)
        return checked

    async def rename(self, context: Context, old_inputs: Properties, inputs: Properties) -> Properties:
        """Return the inputs with the next generated name, if the name is a generated one."""
        return objects.rename(context.urn, context.name, old_inputs, inputs)

    async def diff(self, context: Context, old_inputs: Properties, old_outputs: Properties, inputs: Properties) -> Diff:
        """Compare old and new inputs; the cluster is not asked."""
        return objects.diff(old_inputs, inputs)

    async def create(self, context: Context, inputs: Properties) -> tuple[str, Properties]:
        """Apply the object and wait until it is ready; in a preview in a dry run, where that can be."""
        if context.preview:
            return objects.reference(inputs).id, await self._foresee(inputs, new=True)
        location, live = await self._apply(context, inputs, new=True)
        live = await self._await_ready(context, location, inputs, live)
        return objects.reference(live).id, objects.to_outputs(live, inputs)

    async def update(
        self, context: Context, identifier: str, old_outputs: Properties, inputs: Properties
    ) -> Properties:
        """Apply the object and wait until it is ready; in a preview apply it in a dry run."""
        if context.preview:
            return await self._foresee(inputs, new=False)
        location, live = await self._apply(context, inputs, new=False)
        return objects.to_outputs(await self._await_ready(context, location, inputs, live), inputs)

    async def read(
        self, context: Context, identifier: str | None, inputs: Properties, outputs: Properties
    ) -> Live | None:
        """Return the live object; the inputs it has are those that the program sets.

        Where a run was killed while it made the object, only one that this engine applied counts as made.
        """
        self._online(context)
        target = self._target(context, identifier, outputs or inputs)
        location = await self._client.locate(target)
        live = await self._client.get(location, str(target)) if location else None
        if live is None or (identifier is None and not _is_ours(live)):
            return None
        found = objects.live_inputs(inputs, live)
        return Live(objects.reference(live).id, found, objects.to_outputs(live, inputs))

    async def delete(self, context: Context, identifier: str, outputs: Properties) -> None:
        """Delete the object and wait until it is gone."""
        self._online(context)
        target = self._target(context, identifier, outputs)
        subject = str(target)
        location = await self._client.locate(target)
        if location is None:
            return
        if objects.is_patch(context.type):
            if await self._client.get(location, subject) is not None:
                await self._client.apply(location, objects.nothing_of(target), subject)
            return
        # Workloads wait for their pods, so that what the pods rest on is not deleted under them.
        propagation = "Foreground" if target.group in ("apps", "batch") else "Background"
        live = await self._client.delete(location, subject, propagation=propagation)
        if live is None:
            return
        uid = live["metadata"]["uid"]

        async def ask() -> str | None:
            now = await self._client.get(location, subject)
            gone = now is None or now["metadata"]["uid"] != uid
            return None if now is None or gone else awaiting.deletion_obstacles(now)

        timeout = context.timeout or awaiting.DEFAULT_TIMEOUT
        left = await awaiting.until(ask, timeout, context.status)
        if left is not None:
            raise ProviderError(
                f"{subject} is still there {timeout:g} s after its deletion: {left}. Start the controller"
                " that takes the finalizers off, or take them off yourself"
                f" (kubectl edit {target.kind.lower()} {target.name}"
                f"{f' -n {target.namespace}' if target.namespace else ''}), then run again"
            )

    async def construct(self, context: Context, inputs: Properties) -> Construction:
        """Render a chart into its objects."""
        if context.type != charts.CHART:
            raise ProviderError(
                f"{context.type} is not supported: this engine's kubernetes package has single objects and"
                f" {charts.CHART}"
            )
        source = charts.source(context.name, inputs, self._directory)
        opaque = charts.obstacle(source, inputs, offline=self._offline)
        if opaque is not None:
            return Construction(opaque=opaque)
        capabilities = None if self._offline else await self._client.capabilities()
        namespace = (
            inputs.get("namespace")
            or self._given.get("namespace")
            or ("default" if self._offline else self._client.default_namespace())
        )
        return await asyncio.to_thread(charts.construct, source, inputs, namespace, self._directory, capabilities)

    def secret_outputs(self, type_token: str) -> frozenset[str]:
        """A Secret's values."""
        return frozenset({"data", "stringData"} if type_token == "kubernetes:core/v1:Secret" else ())  # noqa: S105

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    # --- steps of the calls above ---

    def _online(self, context: Context) -> None:
        if self._offline:
            raise ProviderError(f"{context.name} is on a cluster, which an offline run does not contact")

    def _target(self, context: Context, identifier: str | None, described: Properties) -> Reference:
        api_version, kind = objects.identify(context.type, described)
        if identifier is None:
            return objects.reference({**described, "apiVersion": api_version, "kind": kind})
        namespace, _, name = identifier.rpartition("/")
        return Reference(api_version, kind, namespace, name)

    async def _apply(self, context: Context, inputs: Properties, *, new: bool) -> tuple[Location, Properties]:
        self._online(context)
        target = objects.reference(inputs)
        force = objects.annotation(inputs, objects.PATCH_FORCE) == "true"
        sent = objects.to_apply(inputs)
        patience = time.monotonic() + min(context.timeout or _KIND_PATIENCE, _KIND_PATIENCE)
        delay = 0.05
        while True:
            location = await self._client.locate(target)
            if location is not None:
                try:
                    live = await self._client.apply(location, sent, str(target), force=force, repair=not new)
                except ApiError as error:
                    if error.no_namespace:
                        raise ProviderError(
                            f"{target}: namespace {target.namespace} does not exist; create it in the program"
                            " and refer to it, or add it to depends_on"
                        ) from None
                    if not error.no_kind or time.monotonic() > patience:
                        raise
                else:
                    return location, live
            elif time.monotonic() > patience:
                raise ProviderError(
                    f"{target}: the cluster does not serve kind {target.kind} of {target.api_version};"
                    " install its CustomResourceDefinition, and add it to depends_on if the program does so"
                )
            context.status(f"waits for kind {target.kind} of {target.api_version} to be served")
            await asyncio.sleep(delay)
            delay = min(delay * 1.6, 2.0)

    async def _foresee(self, inputs: Properties, *, new: bool) -> Properties:
        """Return the outputs that applying would bring: by a dry run, else the inputs themselves."""
        if self._offline or has_unknown(inputs):
            return inputs
        target = objects.reference(inputs)
        location = await self._client.locate(target)
        if location is None:
            return inputs
        force = objects.annotation(inputs, objects.PATCH_FORCE) == "true"
        try:
            answer = await self._client.apply(
                location, objects.to_apply(inputs), str(target), dry_run=True, force=force, repair=not new
            )
        except ApiError as error:
            if error.no_namespace or error.no_kind or error.webhook:
                return inputs
            raise
        return objects.to_foreseen(answer, inputs) if new else objects.to_outputs(answer, inputs)

    async def _await_ready(
        self, context: Context, location: Location, inputs: Properties, live: Properties
    ) -> Properties:
        if not awaiting.has_await(inputs):
            return live
        target = objects.reference(inputs)
        current = live

        async def ask() -> str | None:
            nonlocal current
            found = await self._client.get(location, str(target))
            if found is None:
                raise ProviderError(f"{target} was deleted by somebody else while it became ready")
            current = found
            waiting = awaiting.pending(inputs, current)
            if waiting is None and awaiting.needs_endpoints(inputs, current):
                slices = await self._client.list(
                    "discovery.k8s.io/v1",
                    "endpointslices",
                    location.namespace,
                    f"kubernetes.io/service-name={target.name}",
                )
                waiting = awaiting.pending_endpoints(slices)
            return waiting

        own = objects.annotation(inputs, objects.TIMEOUT_SECONDS)
        timeout = context.timeout or (float(own) if own and own.isdigit() else awaiting.DEFAULT_TIMEOUT)
        try:
            waiting = await awaiting.until(ask, timeout, context.status)
        except awaiting.NeverReadyError as error:
            raise ProviderError(f"{target} cannot become ready: {error}{await self._pods(location, current)}") from None
        if waiting is not None:
            raise ProviderError(
                f"{target} is not ready after {timeout:g} s: {waiting}{await self._pods(location, current)}"
            )
        return current

    async def _pods(self, location: Location, live: Properties) -> str:
        """Return in words what ails a workload's pods."""
        labels = ((live.get("spec") or {}).get("selector") or {}).get("matchLabels")
        if not labels or objects.group_of(live["apiVersion"]) != "apps":
            return ""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        faults = awaiting.pod_faults(await self._client.list("v1", "pods", location.namespace, selector))
        return "".join(f"; {fault}" for fault in faults)


def _is_ours(live: Properties) -> bool:
    return any(item.get("manager") == FIELD_MANAGER for item in live["metadata"].get("managedFields") or ())

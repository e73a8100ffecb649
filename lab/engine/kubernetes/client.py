"""The Kubernetes API over HTTP: kubeconfig, discovery, server-side apply, get, list, delete."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lab.engine.kubernetes.objects import Reference, group_of
from lab.engine.provider import ImmutableFieldError, ProviderError
from lab.engine.values import Properties

if TYPE_CHECKING:
    import httpx2
    from lightkube.config.kubeconfig import SingleConfig

FIELD_MANAGER: Final = "pulumi-kubernetes-lab"
PATIENCE: Final = 30.0
"""Seconds for which an overloaded server, or one whose webhook does not answer yet, is asked again."""
_AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
_TRANSIENT: Final = re.compile(
    r"connection refused|connection reset|no route to host|no such host|i/o timeout|EOF|TLS handshake"
    r"|no endpoints available|leader changed|request timed out|deadline exceeded"
    r"|certificate signed by unknown authority"
)
_IMMUTABLE: Final = re.compile(r"immutable|may not change once set|updates to .* are forbidden|may not change fields")
_SAFE: Final = re.compile(r'unknown field "[\w.\[\]-]+"|\.[\w.\[\]-]+: field not declared in schema')


class ApiError(ProviderError):
    """The server refused.

    ``status`` is the HTTP status, ``reason`` Kubernetes' own word for it, ``text`` the server's message
    (never to be shown for a Secret: it can hold values).
    """

    def __init__(self, subject: str, status: int, body: Mapping[str, Any], *, confidential: bool) -> None:
        self.status = status
        self.reason = str(body.get("reason") or "")
        self.text = str(body.get("message") or f"HTTP {status}")
        causes = (body.get("details") or {}).get("causes") or []
        self.causes: list[Mapping[str, Any]] = list(causes)
        super().__init__(f"{subject}: {self._public() if confidential else self.text}")

    def _public(self) -> str:
        fields = [f"{cause.get('field', '')}: {cause.get('reason', 'refused')}" for cause in self.causes]
        return f"refused (HTTP {self.status} {self.reason})" + "".join(
            f"; {item}" for item in [*fields, *_SAFE.findall(self.text)]
        )

    @property
    def no_namespace(self) -> bool:
        """Whether the object's namespace does not exist."""
        return self.status == 404 and self.text.startswith("namespaces ")

    @property
    def no_kind(self) -> bool:
        """Whether the server does not serve the kind."""
        return self.status == 404 and self.text.startswith(("the server could not find", "404 page not found"))

    @property
    def conflicts(self) -> list[str]:
        """The fields that another manager owns, each with that manager's name."""
        return [f"{cause.get('field', '')} ({cause.get('message', '')})" for cause in self._conflicts]

    @property
    def by_hand(self) -> bool:
        """Whether all those fields were changed with kubectl, and none by a controller."""
        return all('conflict with "kubectl' in str(cause.get("message")) for cause in self._conflicts)

    @property
    def _conflicts(self) -> list[Mapping[str, Any]]:
        return [cause for cause in self.causes if cause.get("reason") == "FieldManagerConflict"]

    @property
    def immutable(self) -> bool:
        """Whether the object would have to be replaced."""
        return self.status == 422 and bool(_IMMUTABLE.search(self.text))

    @property
    def webhook(self) -> bool:
        """Whether an admission webhook could not be asked, or not in a dry run."""
        return "failed calling webhook" in self.text or "does not support dry run" in self.text

    @property
    def transient(self) -> bool:
        """Whether asking again can help."""
        if self.status in (429, 502, 503, 504):
            return True
        if self.status == 409:
            return not self.conflicts and self.reason in ("Conflict", "AlreadyExists")
        return self.status == 500 and bool(_TRANSIENT.search(self.text)) and "typed patch" not in self.text


class Kind(NamedTuple):
    """How the server serves a kind."""

    plural: str
    namespaced: bool


class Capabilities(NamedTuple):
    """What a Helm chart may ask about the cluster."""

    version: str
    api_versions: list[str]


class Client:
    """A connection to one cluster, opened by the first request."""

    def __init__(self, settings: Properties) -> None:
        """Remember where the kubeconfig is to be found.

        :param settings: ``kubeconfig`` (path or contents) and ``context``; without them ``KUBECONFIG`` or
            ``~/.kube/config`` and its current context hold.
        """
        self._settings = settings
        self._config: SingleConfig | None = None
        self._http: httpx2.AsyncClient | None = None
        self._reached = False
        self._kinds: dict[str, asyncio.Task[dict[str, Kind]]] = {}

    # --- the kubeconfig ---

    @property
    def source(self) -> str:
        """Where the kubeconfig comes from, for messages."""
        given = self._settings.get("kubeconfig")
        if given and ("\n" in given or given.lstrip().startswith("{")):
            return "the provider's own kubeconfig"
        return str(given or os.environ.get("KUBECONFIG") or "~/.kube/config")

    def config(self) -> SingleConfig:
        """Return the chosen context.

        :raises ProviderError: if there is no usable kubeconfig.
        """
        if self._config is None:
            self._config = self._load()
        return self._config

    def _load(self) -> SingleConfig:
        import msgspec  # noqa: PLC0415 an offline preview does without these
        import yaml  # noqa: PLC0415
        from lightkube.config.kubeconfig import KubeConfig  # noqa: PLC0415
        from lightkube.core.exceptions import ConfigError  # noqa: PLC0415

        given = self._settings.get("kubeconfig") or ""
        try:
            if self.source == "the provider's own kubeconfig":
                loaded = KubeConfig.from_dict(yaml.safe_load(given))
            else:
                path = Path(self.source).expanduser()
                if not path.is_file():
                    raise ProviderError(
                        f"no kubeconfig: {self.source} is not a file; set KUBECONFIG or kubernetes:kubeconfig"
                    )
                loaded = KubeConfig.from_file(path)
            chosen = loaded.get(self._settings.get("context") or None)
        except ConfigError as error:
            raise ProviderError(f"kubeconfig {self.source}: {error}") from None
        except (
            yaml.YAMLError,
            msgspec.ValidationError,
            KeyError,
            TypeError,
            AttributeError,
            OSError,
        ) as error:
            detail = type(error).__name__ if isinstance(error, yaml.YAMLError) else error
            raise ProviderError(f"kubeconfig {self.source} cannot be used: {detail}") from None
        if chosen is None:
            raise ProviderError(f"kubeconfig {self.source} has no current context; set kubernetes:context")
        return chosen

    # --- requests ---

    async def _request(
        self,
        method: str,
        path: str,
        subject: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        confidential: bool = False,
    ) -> Any:
        """Ask until there is an answer that will not change by asking again, at most ``PATIENCE`` seconds."""
        deadline = time.monotonic() + PATIENCE
        delay = 0.2
        while True:
            try:
                return await self._ask(method, path, subject, content, headers, confidential=confidential)
            except (ApiError, _UnreachableError) as error:
                lasting = not error.transient if isinstance(error, ApiError) else not self._reached
                in_dry_run = "dryRun=All" in path and isinstance(error, ApiError) and error.webhook
                if lasting or in_dry_run or time.monotonic() + delay > deadline:
                    raise
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)

    async def _ask(
        self,
        method: str,
        path: str,
        subject: str,
        content: bytes | None,
        headers: Mapping[str, str] | None,
        *,
        confidential: bool,
    ) -> Any:
        import httpx2  # noqa: PLC0415

        try:
            response = await self._connection().request(method, path, content=content, headers=headers)
        except httpx2.TransportError as error:
            server = self.config().cluster.server
            raise _UnreachableError(
                f"cannot reach the cluster at {server} (kubeconfig {self.source}):"
                f" {str(error) or type(error).__name__}; is it running, and is this the right kubeconfig?"
            ) from None
        self._reached = True
        if response.is_success:
            return response.json()
        try:
            body = response.json()
        except ValueError:
            body = {"message": response.text.strip()[:500]}
        raise ApiError(subject, response.status_code, body, confidential=confidential)

    def _connection(self) -> httpx2.AsyncClient:
        if self._http is None:
            import httpx2  # noqa: PLC0415
            from lightkube.config.client_adapter import AsyncClient, ConnectionParams  # noqa: PLC0415
            from lightkube.config.models import User  # noqa: PLC0415
            from lightkube.core.exceptions import ConfigError  # noqa: PLC0415

            config = self.config()
            if config.user is None:
                config = config._replace(user=User())
            try:
                timeout = httpx2.Timeout(60, connect=10)
                self._http = AsyncClient(config, ConnectionParams(timeout=timeout, trust_env=False))
            except (ConfigError, OSError, ValueError) as error:
                raise ProviderError(f"kubeconfig {self.source} cannot be used: {error}") from None
        return self._http

    # --- discovery ---

    async def kind(self, api_version: str, kind: str) -> Kind | None:
        """Return how a kind is served, or None if it is not (yet)."""
        known = self._kinds.get(api_version)
        if known is None or (known.done() and (known.cancelled() or known.exception() or kind not in known.result())):
            known = self._kinds[api_version] = asyncio.create_task(self._discover(api_version))
        return (await asyncio.shield(known)).get(kind)

    async def _discover(self, api_version: str) -> dict[str, Kind]:
        root = "apis" if group_of(api_version) else "api"
        try:
            answer = await self._request("GET", f"/{root}/{api_version}", f"discovery of {api_version}")
        except ApiError as error:
            if error.status == 404:
                return {}
            raise
        return {
            item["kind"]: Kind(item["name"], item["namespaced"])
            for item in answer["resources"]
            if "/" not in item["name"]
        }

    async def capabilities(self) -> Capabilities:
        """Return the server's version and what it serves: ``apps/v1``, ``apps/v1/Deployment`` and so on."""
        version, *lists = await asyncio.gather(
            self._request("GET", "/version", "the server's version"),
            *(self._request("GET", path, "discovery", headers={"Accept": _AGGREGATED}) for path in ("/api", "/apis")),
        )
        served: list[str] = []
        for group in (item for answer in lists for item in answer.get("items", ())):
            for offered in group["versions"]:
                name = group.get("metadata", {}).get("name", "")
                api_version = f"{name}/{offered['version']}" if name else offered["version"]
                kinds = (item["responseKind"]["kind"] for item in offered.get("resources", ()))
                served += [api_version, *(f"{api_version}/{kind}" for kind in kinds)]
        return Capabilities(version["gitVersion"], served)

    async def locate(self, target: Reference) -> Location | None:
        """Return where an object is served, or None if its kind is not."""
        kind = await self.kind(target.api_version, target.kind)
        if kind is None:
            return None
        namespace = (target.namespace or self.default_namespace()) if kind.namespaced else ""
        collection = _collection(target.api_version, kind.plural, namespace)
        return Location(f"{collection}/{target.name}", collection, namespace)

    def default_namespace(self) -> str:
        """The namespace of objects that name none."""
        return str(self._settings.get("namespace") or self.config().context.namespace or "default")

    # --- objects ---

    async def apply(
        self,
        location: Location,
        thing: Properties,
        subject: str,
        *,
        dry_run: bool = False,
        force: bool = False,
        repair: bool = False,
    ) -> Properties:
        """Apply an object on the server's side and return it.

        :param force: take over fields that another manager owns.
        :param repair: do so where they were changed by hand, as is right for an object of the program's.
        :raises ImmutableFieldError: if a field cannot be changed in place.
        :raises ProviderError: if another manager owns a field, or the server refuses.
        """
        metadata = {key: value for key, value in thing["metadata"].items() if key != "namespace"}
        if location.namespace:
            metadata["namespace"] = location.namespace
        query = f"?fieldManager={FIELD_MANAGER}&fieldValidation=Strict"
        query += ("&dryRun=All" if dry_run else "") + ("&force=true" if force else "")
        try:
            answer: Properties = await self._request(
                "PATCH",
                location.path + query,
                subject,
                content=json.dumps({**thing, "metadata": metadata}).encode(),
                headers={"Content-Type": "application/apply-patch+yaml"},
                confidential=thing["kind"] == "Secret",
            )
        except ApiError as error:
            if error.conflicts and repair and error.by_hand:
                return await self.apply(location, thing, subject, dry_run=dry_run, force=True)
            if error.conflicts:
                raise ProviderError(
                    f"{subject}: another manager owns {', '.join(error.conflicts)}; take the fields"
                    " out of the program, or annotate the object with"
                    ' pulumi.com/patchForce: "true" to take them over'
                ) from None
            if error.immutable:
                raise ImmutableFieldError(str(error)) from None
            raise
        return answer

    async def get(self, location: Location, subject: str) -> Properties | None:
        """Return an object, or None if there is none."""
        try:
            answer: Properties = await self._request("GET", location.path, subject)
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return answer

    async def list(self, api_version: str, plural: str, namespace: str, selector: str) -> list[Properties]:
        """Return the objects of a namespace that a label selector matches."""
        from urllib.parse import quote  # noqa: PLC0415

        path = f"{_collection(api_version, plural, namespace)}?labelSelector={quote(selector)}"
        items: list[Properties] = (await self._request("GET", path, plural)).get("items") or []
        return items

    async def delete(self, location: Location, subject: str, *, propagation: str) -> Properties | None:
        """Ask for the deletion of an object; return it while it still is there."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        try:
            answer: Properties = await self._request(
                "DELETE",
                location.path,
                subject,
                content=json.dumps(body).encode(),
                headers={"Content-Type": "application/json"},
            )
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return None if answer.get("kind") == "Status" else answer

    async def close(self) -> None:
        """Close the connection."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None


class Location(NamedTuple):
    """Where an object is served: its path, its collection's, and its namespace (empty: the whole cluster)."""

    path: str
    collection: str
    namespace: str


class _UnreachableError(ProviderError):
    """No answer at all."""


def _collection(api_version: str, plural: str, namespace: str) -> str:
    root = "apis" if group_of(api_version) else "api"
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"/{root}/{api_version}{scope}/{plural}"

"""The engine as a Pulumi program sees it: the gRPC services ``ResourceMonitor`` and ``Engine``."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

import grpc
import grpc.aio
from google.protobuf import empty_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    provider_pb2,
    resource_pb2,
    resource_pb2_grpc,
)

from lab.engine import values
from lab.engine.deployment import Deployment, Registration, StoppedError
from lab.engine.errors import EngineError
from lab.engine.report import Report
from lab.engine.transforms import GRPC_OPTIONS
from lab.engine.urn import package_of

_FEATURES: Final = {
    "secrets": resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    "resourceReferences": resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    "outputValues": resource_pb2.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
    "deletedWith": resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    "transforms": resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
}
"""What the program is promised. The SDK refuses, or does itself, what is not here."""

_UNSUPPORTED: Final = {
    "importId": "the option import",
    "replace_with": "the option replace_with",
    "replacement_trigger": "the option replacement_trigger",
    "state_migrations": "state migrations",
    "packageRef": "parameterized packages",
    "hideDiffs": "the option hide_diffs",
    "envVarMappings": "the option env_var_mappings",
    "pluginDownloadURL": "the option plugin_download_url",
}
_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)")


def seconds(duration: str) -> float:
    """Return the seconds of a Go duration such as ``1h2m3.5s``.

    :raises EngineError: if it is none.
    """
    parts = _DURATION.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        message = f"custom timeout {duration!r}: must be a Go duration such as 90s, 10m or 1h30m"
        raise EngineError(message)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def registration(request: resource_pb2.RegisterResourceRequest) -> Registration:
    """Return what a request asks for.

    :raises EngineError: naming what of it this engine has not.
    """
    asked = [_UNSUPPORTED[field.name] for field, _ in request.ListFields() if field.name in _UNSUPPORTED]
    if asked:
        message = f"{request.type} {request.name}: this engine does not support {', '.join(asked)}"
        raise EngineError(message)
    found: dict[str, set[str]] = {}
    inputs = values.decode(request.object, found)
    for key, needed in request.propertyDependencies.items():
        found.setdefault(key, set()).update(needed.urns)
    package = package_of(request.type)
    timeouts = {
        operation: seconds(text)
        for operation in ("create", "update", "delete", "read")
        if (text := getattr(request.customTimeouts, operation))
    }
    return Registration(
        type=request.type,
        name=request.name,
        custom=request.custom,
        remote=request.remote,
        parent=request.parent,
        inputs=inputs,
        dependencies=tuple(request.dependencies),
        property_dependencies={key: tuple(needed) for key, needed in found.items() if needed},
        provider=request.provider or request.providers.get(package, ""),
        version=request.version,
        aliases=tuple(request.aliasURNs),
        protect=request.protect if request.HasField("protect") else None,
        retain_on_delete=request.retainOnDelete if request.HasField("retainOnDelete") else None,
        deleted_with=request.deletedWith,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        timeouts=timeouts,
        transforms=tuple(request.transforms),
    )


class ResourceMonitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Hands a program's requests to a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        """:param deployment: the run that the program is part of."""
        self._deployment = deployment

    async def GetDeploymentInfo(self, request: Any, context: Any) -> resource_pb2.DeploymentInfo:
        """Say which features there are."""
        return resource_pb2.DeploymentInfo(supportedFeatures=_FEATURES.values())

    async def SupportsFeature(
        self, request: resource_pb2.SupportsFeatureRequest, context: Any
    ) -> resource_pb2.SupportsFeatureResponse:
        """Say whether there is a feature."""
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in _FEATURES)

    async def RegisterResource(
        self, request: resource_pb2.RegisterResourceRequest, context: Any
    ) -> resource_pb2.RegisterResourceResponse:
        """Make a resource."""
        try:
            resource = await self._deployment.register(registration(request))
        except (StoppedError, EngineError) as error:
            await self._refuse(error, context)
        return resource_pb2.RegisterResourceResponse(
            urn=resource.urn,
            id=resource.id,
            object=values.encode(resource.outputs if resource.custom or request.remote else resource.inputs),
        )

    async def RegisterResourceOutputs(
        self, request: resource_pb2.RegisterResourceOutputsRequest, context: Any
    ) -> empty_pb2.Empty:
        """Record the outputs of a component."""
        try:
            await self._deployment.register_outputs(request.urn, values.decode(request.outputs))
        except EngineError as error:
            await self._refuse(error, context)
        return empty_pb2.Empty()

    async def ReadResource(
        self, request: resource_pb2.ReadResourceRequest, context: Any
    ) -> resource_pb2.ReadResourceResponse:
        """Read a resource that the program did not make."""
        identifier = values.UNKNOWN if request.id == values.UNKNOWN_TOKEN else request.id
        asked = Registration(
            type=request.type,
            name=request.name,
            parent=request.parent,
            inputs=values.decode(request.properties),
            dependencies=tuple(request.dependencies),
            provider=request.provider,
            version=request.version,
            additional_secret_outputs=tuple(request.additionalSecretOutputs),
        )
        try:
            resource = await self._deployment.read(asked, identifier)
        except StoppedError as error:
            await self._refuse(error, context)
        return resource_pb2.ReadResourceResponse(
            urn=resource.urn, id=resource.id, properties=values.encode(resource.outputs)
        )

    async def Invoke(self, request: resource_pb2.ResourceInvokeRequest, context: Any) -> provider_pb2.InvokeResponse:
        """Answer the one function there is: what is known of a resource that was passed by reference."""
        arguments = values.decode(request.args)
        resource = self._deployment.journal.get(str(arguments.get("urn")))
        if request.tok != "pulumi:pulumi:getResource" or resource is None:
            await self._refuse(EngineError(f"this engine does not support the function {request.tok}"), context)
        answer = {"urn": resource.urn, "id": resource.id, "state": resource.outputs}
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(values.encode(answer))
        return response

    async def Call(self, request: resource_pb2.ResourceCallRequest, context: Any) -> NoReturn:
        """Refuse: methods belong to packages that this engine has not."""
        await self._refuse(EngineError(f"this engine does not support the method {request.tok}"), context)

    async def RegisterPackage(self, request: Any, context: Any) -> NoReturn:
        """Refuse: the engine has its packages built in."""
        await self._refuse(
            EngineError(f"this engine does not support parameterized packages ({request.name})"), context
        )

    async def SignalAndWaitForShutdown(self, request: Any, context: Any) -> empty_pb2.Empty:
        """Let the program go: it has no delete hooks to be called for."""
        return empty_pb2.Empty()

    async def _refuse(self, error: Exception, context: Any) -> NoReturn:
        """End a request; the SDK takes UNAVAILABLE for the end of the run, whose reason the report has."""
        if isinstance(error, EngineError):
            self._deployment.fail(str(error))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the run has failed")
        raise AssertionError


class Engine(engine_pb2_grpc.EngineServicer):
    """Takes a program's log messages."""

    def __init__(self, deployment: Deployment, report: Report) -> None:
        """:param report: gets the messages, free of secrets."""
        self._deployment = deployment
        self._report = report
        self._root = ""

    async def Log(self, request: engine_pb2.LogRequest, context: Any) -> empty_pb2.Empty:
        """Show a message; an error makes the run fail."""
        severity = engine_pb2.LogSeverity.Name(request.severity).lower()
        if severity == "error":
            self._deployment.fail(request.message, request.urn)
        else:
            self._report.message(severity, self._deployment.scrub(request.message), request.urn)
        return empty_pb2.Empty()

    async def SetRootResource(
        self, request: engine_pb2.SetRootResourceRequest, context: Any
    ) -> engine_pb2.SetRootResourceResponse:
        """Remember the stack's URN."""
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    async def GetRootResource(self, request: Any, context: Any) -> engine_pb2.GetRootResourceResponse:
        """Return the stack's URN."""
        return engine_pb2.GetRootResourceResponse(urn=self._root)


@asynccontextmanager
async def serve(deployment: Deployment, report: Report) -> AsyncIterator[str]:
    """Serve both services on a socket that only this user can open, and yield its address."""
    server = grpc.aio.server(options=GRPC_OPTIONS)
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(ResourceMonitor(deployment), server)
    engine_pb2_grpc.add_EngineServicer_to_server(Engine(deployment, report), server)
    with tempfile.TemporaryDirectory(prefix="pulumi-engine-") as folder:
        address = f"unix:{Path(folder, 'monitor')}"
        server.add_insecure_port(address)
        await server.start()
        try:
            yield address
        finally:
            await server.stop(grace=None)

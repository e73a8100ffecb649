"""The engine's side of a Pulumi program: the gRPC services ``ResourceMonitor`` and ``Engine``."""

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
    callback_pb2,
    engine_pb2,
    engine_pb2_grpc,
    provider_pb2,
    resource_pb2,
    resource_pb2_grpc,
)

from harness import values
from harness.errors import HarnessError
from harness.graph import Resource
from harness.recorder import Recorder
from harness.transforms import GRPC_OPTIONS, transform
from harness.urn import package_of

_FEATURES: Final = {
    "secrets": resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    "resourceReferences": resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    "outputValues": resource_pb2.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
    "deletedWith": resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    "transforms": resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
    "parameterization": resource_pb2.RESOURCE_MONITOR_FEATURE_PARAMETERIZATION,
}
"""What the program is promised. The SDK refuses, or does itself, what is not here."""

_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)")


def seconds(duration: str) -> float:
    """Return the seconds of a Go duration such as ``1h2m3.5s``.

    :raises HarnessError: if it is none.
    """
    parts = _DURATION.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise HarnessError(f"custom timeout {duration!r}: must be a Go duration such as 90s, 10m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def requested(request: resource_pb2.RegisterResourceRequest, recorder: Recorder) -> Resource:
    """Return the resource of a request.

    :raises HarnessError: if a timeout is no duration, or there is one of its URN already.
    """
    found: dict[str, set[str]] = {}
    inputs = values.decode(request.object, found)
    for key, needed in request.propertyDependencies.items():
        found.setdefault(key, set()).update(needed.urns)
    timeouts = {
        operation: seconds(text)
        for operation in ("create", "update", "delete", "read")
        if (text := getattr(request.customTimeouts, operation))
    }
    parent = recorder.parent(request.parent)
    provider = request.provider or request.providers.get(package_of(request.type), "")
    return Resource(
        urn=recorder.urn(request.parent, request.type, request.name),
        type=request.type,
        custom=request.custom,
        remote=request.remote,
        parent=request.parent,
        inputs=inputs,
        dependencies=tuple(sorted(request.dependencies)),
        property_dependencies={key: tuple(sorted(needed)) for key, needed in sorted(found.items()) if needed},
        provider=provider.rpartition("::")[0],
        version=request.version,
        aliases=tuple(request.aliasURNs),
        import_id=request.importId,
        protect=request.protect if request.HasField("protect") else parent.protect,
        retain_on_delete=request.retainOnDelete if request.HasField("retainOnDelete") else parent.retain_on_delete,
        deleted_with=request.deletedWith or parent.deleted_with,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        additional_secret_outputs=tuple(sorted(request.additionalSecretOutputs)),
        custom_timeouts=timeouts,
    )


class ResourceMonitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Passes a program's requests to a recorder."""

    def __init__(self, recorder: Recorder) -> None:
        """:param recorder: records the requests."""
        self._recorder = recorder
        self._stack_transforms: list[callback_pb2.Callback] = []
        self._transforms: dict[str, tuple[callback_pb2.Callback, ...]] = {}

    async def GetDeploymentInfo(self, request: Any, context: Any) -> resource_pb2.DeploymentInfo:
        """Return the supported features."""
        return resource_pb2.DeploymentInfo(supportedFeatures=_FEATURES.values())

    async def SupportsFeature(
        self, request: resource_pb2.SupportsFeatureRequest, context: Any
    ) -> resource_pb2.SupportsFeatureResponse:
        """Tell whether a feature is supported."""
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in _FEATURES)

    async def RegisterStackTransform(self, request: callback_pb2.Callback, context: Any) -> empty_pb2.Empty:
        """Register a transform for all later resources."""
        self._stack_transforms.append(request)
        return empty_pb2.Empty()

    async def RegisterResource(
        self, request: resource_pb2.RegisterResourceRequest, context: Any
    ) -> resource_pb2.RegisterResourceResponse:
        """Record a resource."""
        try:
            self._recorder.go_on()
            transforms = (*request.transforms, *self._transforms.get(request.parent, ()))
            for callback in (*transforms, *self._stack_transforms):
                await transform(request, callback)
            resource = self._recorder.register(requested(request, self._recorder))
        except HarnessError as error:
            await self._refuse(error, context)
        self._transforms[resource.urn] = transforms
        return resource_pb2.RegisterResourceResponse(
            urn=resource.urn,
            id=resource.id,
            object=values.encode(resource.outputs if resource.custom or resource.remote else resource.inputs),
        )

    async def RegisterResourceOutputs(
        self, request: resource_pb2.RegisterResourceOutputsRequest, context: Any
    ) -> empty_pb2.Empty:
        """Record the outputs of a component."""
        try:
            self._recorder.register_outputs(request.urn, values.decode(request.outputs))
        except HarnessError as error:
            await self._refuse(error, context)
        return empty_pb2.Empty()

    async def ReadResource(
        self, request: resource_pb2.ReadResourceRequest, context: Any
    ) -> resource_pb2.ReadResourceResponse:
        """Record a resource that the program reads."""
        try:
            self._recorder.go_on()
            asked = Resource(
                urn=self._recorder.urn(request.parent, request.type, request.name),
                type=request.type,
                external=True,
                id="" if request.id == values.UNKNOWN_TOKEN else request.id,
                parent=request.parent,
                inputs=values.decode(request.properties),
                dependencies=tuple(sorted(request.dependencies)),
                provider=request.provider.rpartition("::")[0],
                version=request.version,
                additional_secret_outputs=tuple(sorted(request.additionalSecretOutputs)),
            )
        except HarnessError as error:
            await self._refuse(error, context)
        resource = self._recorder.read(asked)
        return resource_pb2.ReadResourceResponse(urn=resource.urn, properties=values.encode(resource.outputs))

    async def Invoke(self, request: resource_pb2.ResourceInvokeRequest, context: Any) -> provider_pb2.InvokeResponse:
        """Return the result that the test supplies for a function."""
        try:
            answer = self._recorder.invoke(request.tok, values.decode(request.args))
        except HarnessError as error:
            await self._refuse(error, context)
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(values.encode(answer))
        return response

    async def Call(self, request: resource_pb2.ResourceCallRequest, context: Any) -> NoReturn:
        """Refuse methods, because only their package implements them."""
        await self._refuse(HarnessError(f"the harness has no method {request.tok}: it loads no package"), context)

    async def RegisterPackage(
        self, request: resource_pb2.RegisterPackageRequest, context: Any
    ) -> resource_pb2.RegisterPackageResponse:
        """Ignore packages: their names are in their types."""
        return resource_pb2.RegisterPackageResponse(ref=f"{request.name}@{request.version}")

    async def SignalAndWaitForShutdown(self, request: Any, context: Any) -> empty_pb2.Empty:
        """Let the program end; nothing calls it back."""
        return empty_pb2.Empty()

    async def _refuse(self, error: HarnessError, context: Any) -> NoReturn:
        """End a request with UNAVAILABLE, which ends the program's run; the recorder has the reason."""
        self._recorder.fail(str(error))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the run has failed")
        raise AssertionError


class Engine(engine_pb2_grpc.EngineServicer):
    """Receives a program's log messages."""

    def __init__(self, recorder: Recorder) -> None:
        """:param recorder: receives the messages; an error fails the run."""
        self._recorder = recorder
        self._root = ""

    async def Log(self, request: engine_pb2.LogRequest, context: Any) -> empty_pb2.Empty:
        """Keep a message."""
        self._recorder.say(engine_pb2.LogSeverity.Name(request.severity).lower(), request.message)
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
async def serve(recorder: Recorder) -> AsyncIterator[str]:
    """Serve both services on a socket that only this user can open, and yield its address."""
    server = grpc.aio.server(options=GRPC_OPTIONS)
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(ResourceMonitor(recorder), server)
    engine_pb2_grpc.add_EngineServicer_to_server(Engine(recorder), server)
    with tempfile.TemporaryDirectory(prefix="pulumi-harness-") as folder:
        address = f"unix:{Path(folder, 'monitor')}"
        server.add_insecure_port(address)
        await server.start()
        try:
            yield address
        finally:
            await server.stop(grace=None)

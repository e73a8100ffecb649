"""Transforms: functions of the program that change its registrations, called over gRPC."""

from __future__ import annotations

from typing import Any, Final

import grpc
import grpc.aio
from pulumi.runtime.proto import callback_pb2, callback_pb2_grpc, resource_pb2

from harness.errors import HarnessError
from harness.values import as_outputs, decode, encode

GRPC_OPTIONS: Final = [
    # The SDK's own limit (pulumi.runtime._grpc_settings).
    ("grpc.max_receive_message_length", 400 * 1024 * 1024),
    ("grpc.max_send_message_length", 400 * 1024 * 1024),
]
_SAME: Final = {
    "ignore_changes": "ignoreChanges",
    "replace_on_changes": "replaceOnChanges",
    "additional_secret_outputs": "additionalSecretOutputs",
    "depends_on": "dependencies",
}
"""Lists of a transform's options, by the request's names for them."""
_SINGLE: Final = {
    "protect": "protect",
    "retain_on_delete": "retainOnDelete",
    "version": "version",
    "provider": "provider",
    "deleted_with": "deletedWith",
    "delete_before_replace": "deleteBeforeReplace",
    "import": "importId",
}
"""Single values, the same way."""
_OPTIONAL: Final = ("protect", "retainOnDelete")


async def transform(request: resource_pb2.RegisterResourceRequest, callback: callback_pb2.Callback) -> None:
    """Give a request the properties and options that a transform makes of its own.

    :raises HarnessError: if the transform fails.
    """
    asked = resource_pb2.TransformRequest(
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        properties=encode(as_outputs(decode(request.object))),
        options=_options(request),
    )
    try:
        async with grpc.aio.insecure_channel(callback.target, options=GRPC_OPTIONS) as channel:
            answer = await callback_pb2_grpc.CallbacksStub(channel).Invoke(
                callback_pb2.CallbackInvokeRequest(token=callback.token, request=asked.SerializeToString())
            )
    except grpc.aio.AioRpcError as error:
        message = f"{request.type} {request.name}: a transform of the program failed: {error.details()}"
        raise HarnessError(message) from error
    response = resource_pb2.TransformResponse.FromString(answer.response)
    request.object.CopyFrom(response.properties)
    if response.HasField("options"):
        _take(request, response.options)


def _options(request: Any) -> resource_pb2.TransformResourceOptions:
    options: Any = resource_pb2.TransformResourceOptions()
    for ours, theirs in _SAME.items():
        getattr(options, ours).extend(getattr(request, theirs))
    for ours, theirs in _SINGLE.items():
        if request.HasField(theirs) if theirs in _OPTIONAL else getattr(request, theirs):
            setattr(options, ours, getattr(request, theirs))
    if request.HasField("customTimeouts"):
        options.custom_timeouts.CopyFrom(request.customTimeouts)
    for urn in request.aliasURNs:
        options.aliases.add(urn=urn)
    options.providers.update(request.providers)
    found: resource_pb2.TransformResourceOptions = options
    return found


def _take(request: Any, options: Any) -> None:
    for ours, theirs in _SAME.items():
        del getattr(request, theirs)[:]
        getattr(request, theirs).extend(getattr(options, ours))
    for ours, theirs in _SINGLE.items():
        request.ClearField(theirs)
        if options.HasField(ours) if theirs in _OPTIONAL else getattr(options, ours):
            setattr(request, theirs, getattr(options, ours))
    request.deleteBeforeReplaceDefined = options.HasField("delete_before_replace")
    request.customTimeouts.CopyFrom(options.custom_timeouts)
    del request.aliasURNs[:]
    request.aliasURNs.extend(alias.urn for alias in options.aliases if alias.HasField("urn"))
    request.providers.clear()
    request.providers.update(options.providers)

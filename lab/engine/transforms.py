"""Transforms: functions of the program that change what is registered, called back over gRPC."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio
from pulumi.runtime.proto import callback_pb2, callback_pb2_grpc, resource_pb2

from lab.engine import values
from lab.engine.errors import EngineError

if TYPE_CHECKING:
    from lab.engine.deployment import Registration

GRPC_OPTIONS: Final = [
    # The SDK's own limit (pulumi.runtime._grpc_settings).
    ("grpc.max_receive_message_length", 400 * 1024 * 1024),
    ("grpc.max_send_message_length", 400 * 1024 * 1024),
]


async def transformed(registration: Registration, callback: callback_pb2.Callback) -> Registration:
    """Return a registration with the properties that a transform gives it; of its options the engine takes none.

    :raises EngineError: if the transform fails.
    """
    request = resource_pb2.TransformRequest(
        type=registration.type,
        name=registration.name,
        custom=registration.custom,
        parent=registration.parent,
        properties=values.encode(registration.inputs),
    )
    try:
        async with grpc.aio.insecure_channel(callback.target, options=GRPC_OPTIONS) as channel:
            answer = await callback_pb2_grpc.CallbacksStub(channel).Invoke(
                callback_pb2.CallbackInvokeRequest(token=callback.token, request=request.SerializeToString())
            )
    except grpc.aio.AioRpcError as error:
        message = f"{registration.type} {registration.name}: a transform of the program failed: {error.details()}"
        raise EngineError(message) from error
    response = resource_pb2.TransformResponse.FromString(answer.response)
    return replace(registration, inputs=values.decode(response.properties))

"""Reads a limited number of bytes of a response, without decompression."""

from __future__ import annotations

from typing import Final

import aiohttp

HEADERS: Final = {"Accept-Encoding": "identity"}
"""What every request has: a small reply that is to be inflated may be a large one."""


class ReplyError(aiohttp.ClientError):
    """A response that is not read; the message gives the reason."""


async def body(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Return the body of a response, from a session without decompression.

    :param most: the maximum number of bytes.
    :raises ReplyError: if it is longer, or is encoded without a request for it.
    """
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise ReplyError("reply is encoded, which was not asked for")
    found = bytearray()
    async for chunk in response.content.iter_any():
        found += chunk
        if len(found) > most:
            response.close()
            raise ReplyError(f"reply is longer than {most} bytes")
    return bytes(found)

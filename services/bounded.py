"""Reads what others answer: a few KiB as they are sent, and no more, whoever answers."""

from __future__ import annotations

from typing import Final

import aiohttp

HEADERS: Final = {"Accept-Encoding": "identity"}
"""What every request has: a small reply that is to be inflated may be a large one."""


class ReplyError(aiohttp.ClientError):
    """A reply that is not read; the message says why."""


async def body(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Return the body of a reply of a session that does not inflate.

    :param most: bytes that it may have.
    :raises ReplyError: if it has more, or is encoded although that was not asked for.
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

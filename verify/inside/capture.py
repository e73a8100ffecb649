"""Captures the packets on a pod's network.

Sent into a pod as source and run by its Python as root with NET_RAW, so it imports nothing but the standard library.
"""

from __future__ import annotations

import socket
import time
from typing import Any

_EVERY_PROTOCOL = 3
"""ETH_P_ALL of linux/if_ether.h."""

_LONGEST = 65_600


def listen(markers: list[str], seconds: float) -> dict[str, Any]:
    """Listen on all interfaces, and return for each ``{packets, bytes, readable}``.

    ``readable`` counts by marker the packets in which it stands.

    :param markers: text that is looked for.
    """
    wanted = [marker.encode() for marker in markers]
    found: dict[str, Any] = {}
    end = time.monotonic() + seconds
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL)) as packets:
        packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        while (left := end - time.monotonic()) > 0:
            packets.settimeout(left)
            try:
                packet, origin = packets.recvfrom(_LONGEST)
            except TimeoutError:
                break
            interface = found.setdefault(origin[0], {"packets": 0, "bytes": 0, "readable": dict.fromkeys(markers, 0)})
            interface["packets"] += 1
            interface["bytes"] += len(packet)
            for marker, name in zip(wanted, markers, strict=True):
                interface["readable"][name] += marker in packet
    return found

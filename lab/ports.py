"""Free ports of this machine."""

from __future__ import annotations

import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_LAST: Final = 65_533


def free_ports() -> int:
    """Return a free port of loopback; the next two ports are free as well."""
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        if port < _LAST and all(is_free(LOOPBACK, port + offset) for offset in (1, 2)):
            return port


def is_free(host: str, port: int) -> bool:
    """Tell whether a port of an address is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True

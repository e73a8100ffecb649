"""customer and preference, and other services whose response consists of their upstreams' responses."""

from __future__ import annotations

from collections.abc import Mapping

from services import replies
from services.environment import Environment
from services.replies import Reply
from services.service import Handler, Tools, common, run
from services.settings import Identity


class Caller(Handler):
    """Calls its upstreams and responds with their responses; without upstreams, with its name and a count."""

    def __init__(self, me: Identity, tools: Tools) -> None:
        self._me = me
        self._tools = tools
        self._count = 0

    async def answer(self, headers: Mapping[str, str]) -> Reply:
        """Return the upstreams' responses after this service's name."""
        self._count += 1
        count = self._count
        if self._tools.upstreams:
            return replies.called(self._me.name, await self._tools.upstreams.ask(headers))
        return replies.alone(self._me.name, self._me.version, self._me.host, count)


def main(program: str, variables: Mapping[str, str]) -> int:
    """Run the service.

    :raises StartError: if it cannot start.
    """
    environment = Environment(variables)
    settings = common(environment, program)
    environment.check()
    return run(settings, lambda tools: Caller(settings.identity, tools))

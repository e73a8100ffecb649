"""GitHub's REST API, as far as the workflows need it."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from tools.ci.command import CommandError

_PAGE = 100
_TIMEOUT_SECONDS = 30.0


class GitHub:
    """One repository, as a runner's environment names it."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Find the repository.

        :raises CommandError: if the environment lacks GITHUB_REPOSITORY, GITHUB_API_URL or GITHUB_TOKEN.
        """
        missing = [key for key in ("GITHUB_REPOSITORY", "GITHUB_API_URL", "GITHUB_TOKEN") if not environment.get(key)]
        if missing:
            raise CommandError(
                f"{missing[0]} is not set; a runner sets it, but for GITHUB_TOKEN: ${{{{ github.token }}}}"
            )
        self._root = f"{environment['GITHUB_API_URL']}/repos/{environment['GITHUB_REPOSITORY']}"
        self._token = environment["GITHUB_TOKEN"]

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send a request and return the answer's JSON, None if it is empty.

        :param path: below the repository's address.
        :raises CommandError: if GitHub refuses, or cannot be reached.
        """
        request = urllib.request.Request(  # noqa: S310 GITHUB_API_URL is a runner's own
            self._root + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
                answer = response.read()
        except urllib.error.HTTPError as error:
            raise CommandError(f"{method} {request.full_url}: {error.code} {error.reason}") from error
        except OSError as error:
            raise CommandError(f"{method} {request.full_url}: {error}") from error
        return json.loads(answer) if answer else None

    def listed(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Yield all items of a list, page by page."""
        page = 1
        while True:
            words = urllib.parse.urlencode({**query, "per_page": _PAGE, "page": page})
            items = self.request("GET", f"{path}?{words}")
            yield from items
            if len(items) < _PAGE:
                return
            page += 1

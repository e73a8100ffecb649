"""The results, as a table and as JSON. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from verify.check import Check


def table(checks: Sequence[Check], *, every: bool = False) -> str:
    """Return a row for each kind of result with its number, and a line for each failed check.

    :param every: a line for each check.
    """
    found = Counter((check.part.value, check.expected, check.found) for check in checks)
    rows = [("part", "expected", "found", "checks", "")]
    rows += [
        (part, expected, what, str(count), "ok" if expected == what else "NOT AS DECLARED")
        for (part, expected, what), count in sorted(found.items())
    ]
    lines = list(_aligned(rows))
    for title, listed in (("all checks", checks if every else ()), ("not as declared", _failed(checks))):
        if listed:
            lines += ["", f"{title}:", *(f"  [{check.part.value}] {check}" for check in listed)]
    return "\n".join(lines)


def summary(checks: Sequence[Check]) -> str:
    """Return the numbers of checks and failures, in one line."""
    failed = len(_failed(checks))
    what = "all as declared" if not failed else f"{failed} not as declared"
    return f"{len(checks)} checks: {what}"


def as_json(checks: Sequence[Check]) -> str:
    """Return all checks as JSON.

    ``{checks, failed, results: [{part, subject, expected, found, passed, evidence}]}``
    """
    results = [
        {
            "part": check.part.value,
            "subject": check.subject,
            "expected": check.expected,
            "found": check.found,
            "passed": check.passed,
            "evidence": check.evidence,
        }
        for check in checks
    ]
    content = {"checks": len(checks), "failed": len(_failed(checks)), "results": results}
    return msgspec.json.format(msgspec.json.encode(content), indent=1).decode()


def _failed(checks: Iterable[Check]) -> list[Check]:
    return [check for check in checks if not check.passed]


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterable[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

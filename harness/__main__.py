"""``python -m harness``: list what a program registers, and compare it with a git ref, without a cluster."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.against import Notes, checked_out, section
from harness.errors import HarnessError
from harness.fields import tree
from harness.graph import Graph, Resource
from harness.markdown import document
from harness.program import Program, ProgramFailedError


def _setting(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise argparse.ArgumentTypeError(f"{text}: must be key=value")
    return key, value


def _notes(text: str) -> Notes:
    module, _, name = text.partition(":")
    try:
        found: Notes = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise argparse.ArgumentTypeError(f"{text}: must be module:function ({error})") from error
    return found


def _listed(graph: Graph, *, outputs: bool) -> Iterator[str]:
    """Yield a line per resource, below its parent, and then the outputs."""
    below: dict[str, list[Resource]] = {}
    known = {item.urn for item in graph.resources}
    for item in graph.resources:
        below.setdefault(item.parent if item.parent in known else "", []).append(item)

    def lines(parent: str, indent: int) -> Iterator[str]:
        for item in below.get(parent, ()):
            yield f"{' ' * indent}{item.title}"
            yield from lines(item.urn, indent + 2)

    yield from lines("", 0)
    yield f"{len(graph.resources)} resources"
    if outputs and graph.outputs:
        yield "Outputs:"
        yield from tree(graph.outputs, 2)


def _preview(options: argparse.Namespace) -> int:
    with contextlib.redirect_stdout(sys.stderr):
        graph = Program(options.cwd).preview(stack=options.stack, config=dict(options.config))
    sys.stdout.writelines(f"{line}\n" for line in _listed(graph, outputs=not options.suppress_outputs))
    return 0


def _diff(options: argparse.Namespace) -> int:
    directory = options.cwd.resolve()
    with contextlib.redirect_stdout(sys.stderr), checked_out(directory, options.against) as then:
        sections = [section(then, directory, stack, dict(options.config)) for stack in options.stack]
    first = [kind for kind in options.first.split(",") if kind]
    ref = options.ref or options.against
    sys.stdout.write(document(sections, ref, first=first, notes=options.notes, limit=options.limit))
    failed = [found.stack for found in sections if found.fault]
    sys.stderr.writelines(f"error: the preview of stack {stack} failed; the document says why\n" for stack in failed)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m harness", description=__doc__.partition(": ")[2])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    preview = commands.add_parser("preview", help="list the resources and outputs of a stack that has nothing yet")
    preview.add_argument("--stack", required=True)
    preview.add_argument("--suppress-outputs", action="store_true")
    preview.set_defaults(run=_preview)
    diff = commands.add_parser("diff", help="write what differs from the program at a git ref, as Markdown")
    diff.add_argument("--stack", required=True, action="append", help="can be given several times")
    diff.add_argument("--against", required=True, metavar="REF")
    diff.add_argument("--ref", help="what the document calls REF")
    diff.add_argument("--first", default="", metavar="KINDS", help="kinds that matter most, most first, by commas")
    diff.add_argument(
        "--notes", type=_notes, metavar="MODULE:FUNCTION", help="gives the head's lines out of both outputs of a stack"
    )
    diff.add_argument("--limit", type=int, default=65_000, metavar="CHARACTERS")
    diff.set_defaults(run=_diff)
    for command in (preview, diff):
        command.add_argument("--cwd", type=Path, default=Path(), help="the project's folder (default: this one)")
        command.add_argument("--config", type=_setting, action="append", default=[], metavar="KEY=VALUE")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except (HarnessError, ProgramFailedError) as error:
        sys.stderr.writelines(f"error: {line}\n" for line in str(error).splitlines())
        return 1
    return code


if __name__ == "__main__":
    # Whoever reads may stop before the end.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))

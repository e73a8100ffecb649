"""``python -m tools.ci.charts``: render the public charts of each stack, and fail on what the program does not expect.

Fetches the charts, so that it needs internet access. What is expected, and where it was read, is in
``kafka_on_istio/charts/facts.py``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import helm_python
import yaml

from kafka_on_istio.charts.facts import chart_facts
from kafka_on_istio.charts.values import Release, releases
from kafka_on_istio.settings.errors import SettingsError
from kafka_on_istio.settings.loading import load
from kafka_on_istio.settings.settings import Settings
from tools.ci.chart_differences import differences
from tools.ci.command import CommandError, leave
from tools.ci.stacks import name as stack_of


@dataclass(frozen=True)
class Charts:
    """Charts on disk: those that were given by key, and those that were fetched into ``folder``."""

    folder: Path
    given: Mapping[str, Path]

    def path(self, release: Release) -> Path:
        """Return where a release's chart is, fetched if need be.

        :raises CommandError: if it cannot be fetched.
        """
        if release.key in self.given:
            return self.given[release.key]
        target = self.folder / f"{release.key}-{release.version}"
        if not target.exists():
            target.mkdir()
            try:
                helm_python.pull(
                    release.chart,
                    destination=target,
                    version=release.version or None,
                    repo_url=release.repository or None,
                )
            except helm_python.HelmError as error:
                reason = str(error).strip().splitlines()[-1]
                raise CommandError(f"chart {release.chart} {release.version}: cannot be fetched: {reason}") from error
        return next(target.glob("*.tgz"))


def stack_settings(directory: Path, stack: str) -> Settings:
    """Return a stack's settings over the project's defaults.

    :raises CommandError: if they are wrong.
    """
    own = yaml.safe_load((directory / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    values = {key.rpartition(":")[2]: value for key, value in own.items()}
    try:
        return load({key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()})
    except SettingsError as error:
        raise CommandError(f"stack {stack}: {error}") from error


def public(release: Release) -> bool:
    """Tell whether a release's chart is not a path on this machine."""
    return bool(release.repository) or "://" in release.chart


def examined(settings: Settings, charts: Charts) -> Iterator[tuple[Release, list[str]]]:
    """Yield each public chart of a stack with what is unexpected in it.

    :raises CommandError: if a chart cannot be fetched or rendered.
    """
    facts = chart_facts(settings)
    for release in filter(public, releases(settings)):
        try:
            with helm_python.Chart.load(charts.path(release)) as chart:
                definitions = [item["data"] for item in chart.crds]

                def render(values: Mapping[str, Any]) -> list[dict[str, Any]]:
                    texts = chart.render(dict(values), name=release.name, namespace=release.namespace)  # noqa: B023
                    rendered = [text for path, text in texts.items() if not path.endswith("NOTES.txt")]
                    documents = (yaml.safe_load_all(text) for text in (*definitions, *rendered))  # noqa: B023
                    return [thing for found in documents for thing in found if thing]

                yield release, list(differences(facts[release.key], render, release.values, chart.values))
        except helm_python.HelmError as error:
            raise CommandError(f"chart {release.chart} {release.version}: {str(error).strip()}") from error


def _given(text: str) -> tuple[str, Path]:
    key, _, path = text.partition("=")
    if not Path(path, "Chart.yaml").is_file():
        raise argparse.ArgumentTypeError(f"{text!r}: must be KEY=FOLDER, a key of chartValues and a chart's folder")
    return key, Path(path)


def main(arguments: Sequence[str]) -> int:
    """Print what is unexpected, and return 1 if there is anything."""
    description = "Render the public charts of each stack, and fail on what the program does not expect of them."
    parser = argparse.ArgumentParser(prog="python -m tools.ci.charts", description=description)
    parser.add_argument("stacks", nargs="*", metavar="stack", help="default: all that use public charts")
    parser.add_argument("--cwd", default=".", type=Path, help="the project's folder (default: this one)")
    parser.add_argument(
        "--chart",
        action="append",
        default=[],
        type=_given,
        metavar="KEY=FOLDER",
        help="use a chart on disk instead of fetching it, such as kiali=charts/kiali-server",
    )
    options = parser.parse_args(arguments)
    every = sorted(stack for path in options.cwd.glob("Pulumi.*.yaml") if (stack := stack_of(path.name)))
    unknown = sorted(set(options.stacks) - set(every))
    if unknown:
        raise CommandError(f"stack {unknown[0]}: there is no Pulumi.{unknown[0]}.yaml; there are {', '.join(every)}")
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        charts = Charts(Path(folder), dict(options.chart))
        for stack in options.stacks or every:
            for release, found in examined(stack_settings(options.cwd, stack), charts):
                failed = failed or bool(found)
                state = "as expected" if not found else f"{len(found)} unexpected"
                sys.stdout.write(f"{stack}: {release.key} {release.version}: {state}\n")
                sys.stdout.writelines(f"  {line}\n" for line in found)
    return int(failed)


if __name__ == "__main__":
    leave(main)

"""Commands in the documents run, and say what the documents say; settings in them are taken."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from harness.program import Program
from tools.documentation.commands import Command, missing, runnable, settings
from tools.documentation.generated import ROOT
from tools.documentation.links import documents
from tools.documentation.markdown import Block, parse

PARSED = {str(path.relative_to(ROOT)): parse(path.read_text(encoding="utf-8")) for path in documents(ROOT)}
COMMANDS = {f"{name}:{item.line}: {item.words}": item for name, parsed in PARSED.items() for item in runnable(parsed)}
SETTINGS = {f"{name}:{block.line}": block for name, parsed in PARSED.items() for block in settings(parsed)}


@pytest.mark.program
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_runs_and_says_what_is_written(name: str) -> None:
    command: Command = COMMANDS[name]
    result = subprocess.run(
        ["bash", "-c", command.words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=240
    )
    assert result.returncode == 0, result.stderr
    assert missing(command.lines, result.stdout) is None, result.stdout


@pytest.mark.program
@pytest.mark.parametrize("name", SETTINGS)
def test_settings_are_taken(name: str, pulumi_program: Callable[[Path], Program]) -> None:
    block: Block = SETTINGS[name]
    config = {key.partition(":")[2]: value for key, value in yaml.safe_load(block.text)["config"].items()}
    assert config
    assert pulumi_program(ROOT).preview(stack="dev", config=config).resources


@pytest.mark.unit
def test_commands_are_those_of_blocks_that_say_so() -> None:
    text = "```console\n$ rm x\n```\n\n```console runnable\n$ a \\\n    b\none\n...\ntwo\n$ c\n```\n"
    assert list(runnable(parse(text))) == [Command("a \\\n    b", ("one", "two"), 5), Command("c", (), 5)]


@pytest.mark.unit
def test_what_is_written_is_looked_for_in_its_order() -> None:
    assert missing(("one", "three"), "one\ntwo\nthree\n") is None
    assert missing(("three", "one"), "one\ntwo\nthree\n") == "one"

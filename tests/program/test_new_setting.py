"""A new setting is a field and its use."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.program import Program, ProgramFailedError
from tests.program.summary import ROOT

pytestmark = pytest.mark.program

FIELD = """
    topic_cleanup_policy: OptionalLabel = setting(
        default="delete", description="What happens to old records: `delete` or `compact`."
    )
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The program and what generates its Pulumi.yaml, with a setting more, in two files."""
    for path in ROOT.iterdir():
        if path.name in ("components", "kafka_on_istio"):
            shutil.copytree(path, tmp_path / path.name)
        elif path.name.startswith("Pulumi."):
            shutil.copy(path, tmp_path)
        elif path.name not in (".venv", ".lab", ".git"):
            (tmp_path / path.name).symlink_to(path)
    add(
        tmp_path / "kafka_on_istio/settings/kafka.py",
        "    topic_partitions: Count",
        f"{FIELD[1:]}    topic_partitions: Count",
    )
    use = '"config": settings.topic_config'
    add(tmp_path / "components/kafka_topic.py", use, f'{use} | {{"cleanup.policy": settings.topic_cleanup_policy}}')
    return tmp_path


def add(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def policies(program: Path, **config: str) -> set[str]:
    preview = Program(program).preview(stack="dev", config=config)
    return {
        item.inputs["spec"]["config"]["cleanup.policy"]
        for item in preview.all("kubernetes:kafka.strimzi.io/v1:KafkaTopic")
    }


def test_a_new_setting_is_a_field_and_its_use(copy: Path) -> None:
    assert policies(copy) == {"delete"}
    assert policies(copy, topicCleanupPolicy="compact") == {"compact"}
    with pytest.raises(ProgramFailedError, match="kafka-on-istio:topicCleanupPolicy = 'UPPER': must be lower-case"):
        policies(copy, topicCleanupPolicy="UPPER")


def test_pulumi_yaml_gets_a_new_setting_from_its_field(copy: Path) -> None:
    code = (
        "from pathlib import Path; from tools.documentation import project;"
        "from kafka_on_istio.settings.project import project_config;"
        "path = Path('Pulumi.yaml'); path.write_text(project.filled(path.read_text(), project_config()))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=copy, check=True, timeout=60)
    declared = yaml.safe_load((copy / "Pulumi.yaml").read_text())["config"]["topicCleanupPolicy"]
    assert declared == {
        "type": "string",
        "description": "What happens to old records: `delete` or `compact`.",
        "default": "delete",
    }

"""Istio's own charts, out of its Go module, are as the program expects of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.charts.assemble import assemble
from lab.errors import LabError
from lab.lab import ROOT
from tools.ci import charts
from tools.ci.charts import Charts, examined, stack_settings

pytestmark = pytest.mark.lab

ISTIO = ("base", "istiod", "cni", "gateway")


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        return assemble(ROOT / ".lab" / "charts")
    except LabError as error:
        pytest.fail(str(error))


@pytest.mark.parametrize("stack", ["dev", "openshift", "platform", "prod"])
def test_istios_charts_are_as_the_table_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path, stack: str
) -> None:
    """Rendered twice alike, with the Services, accounts, labels, cluster-wide objects and values of the table."""
    monkeypatch.setattr(charts, "public", lambda release: release.key in ISTIO)
    found = {
        release.key: lines
        for release, lines in examined(
            stack_settings(ROOT, stack), Charts(tmp_path, {key: folder / key for key in ISTIO})
        )
    }
    assert set(found) >= {"base", "istiod", "gateway"}
    assert {key: lines for key, lines in found.items() if lines} == {}

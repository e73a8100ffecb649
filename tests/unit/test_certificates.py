"""Keys and certificates of a lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import control_plane_certificates as certificates

pytestmark = pytest.mark.unit

SUBJECTS = certificates.subjects("127.0.0.1", "10.96.0.1")


def test_keys_are_for_their_owner_alone_and_are_kept(tmp_path: Path) -> None:
    certificates.write(tmp_path / "certificates", SUBJECTS)
    files = {path: path.read_bytes() for path in (tmp_path / "certificates").iterdir()}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)
    certificates.write(tmp_path / "certificates", SUBJECTS)
    assert {path: path.read_bytes() for path in (tmp_path / "certificates").iterdir()} == files

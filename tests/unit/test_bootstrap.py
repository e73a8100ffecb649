"""What is said about a machine before anything is installed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.bootstrap import COMMANDS, SPACE, TEST_COMMANDS, Machine, plan

pytestmark = pytest.mark.unit

READY = Machine(
    system="Linux",
    architecture="x86_64",
    python=(3, 11),
    has_installer=True,
    commands=frozenset(COMMANDS),
    is_root=False,
    has_apt=True,
    free=SPACE,
    writable=True,
)


def test_a_machine_that_has_all_needs_nothing() -> None:
    assert plan(READY).packages == ()
    assert plan(READY).obstacles == ()


def test_root_on_debian_gets_what_is_missing() -> None:
    found = plan(replace(READY, is_root=True, commands=READY.commands - {"mvn", "nft"}, has_installer=False))
    assert found.packages == ("maven", "nftables", "python3-pip")
    assert found.obstacles == ()


def test_who_is_not_root_is_told_which_packages_to_install() -> None:
    found = plan(replace(READY, commands=READY.commands - {"mvn"}))
    assert found.obstacles == ("missing packages maven (you are not root): install them, then run this again",)


def test_the_tests_need_a_browser_and_the_lab_does_not() -> None:
    bare = replace(READY, is_root=True)
    assert plan(bare).packages == ()
    assert plan(bare, {**COMMANDS, **TEST_COMMANDS}).packages == ("chromium-driver", "chromium")


def test_all_obstacles_are_said_at_once() -> None:
    found = plan(
        replace(READY, system="Darwin", python=(3, 9), free=0, writable=False, has_apt=False, commands=frozenset())
    )
    assert len(found.obstacles) == 5
    assert all(
        word in " ".join(found.obstacles) for word in ("Darwin", "Python 3.9", "GiB free", "write", "no apt-get")
    )

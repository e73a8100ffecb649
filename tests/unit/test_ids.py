"""The ids of the machine that containers run under."""

from __future__ import annotations

import itertools
import os
import subprocess
import time

import pytest

from lab.errors import LabError
from lab.ids import COUNT, Ids, refuse_taken, taken
from lab.network import LABS

pytestmark = pytest.mark.unit

IDS = Ids(3)


def test_labs_have_ids_of_their_own_far_from_people_and_containers_of_others() -> None:
    firsts = [Ids(index).first for index in range(LABS)]
    assert all(later - earlier == COUNT for earlier, later in itertools.pairwise(firsts))
    # systemd's container ids end before, its foreign ids begin after.
    assert firsts[0] > 1_879_048_191
    assert firsts[-1] + COUNT <= 2_147_352_576


def test_an_id_of_a_container_is_one_of_the_machine() -> None:
    assert IDS.of(0) == IDS.first
    assert IDS.of(COUNT - 1) == IDS.first + COUNT - 1
    for number in (-1, COUNT):
        with pytest.raises(ValueError, match=f"id {number}: "):
            IDS.of(number)
    assert IDS.mapping == f"0 {IDS.first} {COUNT}\n"


@pytest.mark.parametrize("number", [IDS.first, IDS.first + COUNT - 1])
def test_whoever_has_an_id_is_named(number: int) -> None:
    assert taken(IDS, [("user ann", 1001), ("user bob", number)], []) == f"user bob has {number}"


def test_ids_beside_the_range_are_nobody_s_business() -> None:
    accounts = [("user ann", IDS.first - 1), ("group staff", IDS.first + COUNT)]
    ranges = f"ann:100000:65536\nbob:{IDS.first - 65536}:65536\ncat:{IDS.first + COUNT}:65536\nnonsense\n"
    assert taken(IDS, accounts, [("/etc/subuid", ranges)]) is None


@pytest.mark.parametrize(
    ("first", "count"), [(IDS.first - 1, 2), (IDS.first + COUNT - 1, 1), (1000, 4_000_000_000), (IDS.first + 5, 1)]
)
def test_a_range_that_overlaps_is_named_with_its_owner_and_file(first: int, count: int) -> None:
    found = taken(IDS, [], [("/etc/subuid", f"ann:100000:65536\nbob:{first}:{count}\n")])
    assert found == f"bob has {first} to {first + count - 1} in /etc/subuid"


def test_a_process_with_an_id_of_the_range_is_named_before_anything_starts() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can have a process run under another id")
    ids = Ids(LABS - 1)
    refuse_taken(ids)
    for become in (f"--reuid={ids.first}", f"--regid={ids.first + 7}", f"--groups={ids.first + COUNT - 1}"):
        more = [] if become.startswith("--groups") else ["--clear-groups"]
        with subprocess.Popen(["setpriv", become, *more, "sleep", "60"]) as stranger:
            try:
                with pytest.raises(
                    LabError, match=f"process {stranger.pid} has {become.partition('=')[2]}; .* --network"
                ):
                    _until_refused(ids)
            finally:
                stranger.kill()


def _until_refused(ids: Ids) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        refuse_taken(ids)

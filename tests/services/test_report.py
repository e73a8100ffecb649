"""The report's rules, against an implementation of them by brute force, over traffic of all kinds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.checkpoint import Checkpoint
from services.group import Group
from services.report import Place, Report, Windows
from tests.services.brute_force import BruteForce, Line

pytestmark = pytest.mark.unit

PLACES: list[Place] = [("customer", 0), ("customer", 1), ("preference", 0)]
SIZE, GRACE, IDLE = 10_000, 3_000, 20_000
HOUR = 3_600_000
PIECE = 7
NEVER = 10**12


@dataclass(frozen=True)
class Sent:
    place: Place
    at: int
    number: int
    content: bytes | None

    def topic(self) -> str:
        return self.place[0]

    def partition(self) -> int:
        return self.place[1]

    def offset(self) -> int:
        return self.number

    def timestamp(self) -> tuple[int, int]:
        return (1, self.at)

    def value(self) -> bytes | None:
        return self.content


def call(origin: str, destination: str | None = None, version: str = "v1") -> bytes:
    found = {"origin": origin, "originVersion": version, "comment": "x"} | (
        {} if destination is None else {"destination": destination}
    )
    return json.dumps(found).encode()


VALUES = st.sampled_from(
    [
        *[call("CUSTOMER", "PREFERENCE")] * 4,
        *[call("RECOMMENDATION")] * 4,
        call("CUSTOMER", "PREFERENCE", "v2"),
        json.dumps({"origin": "RECOMMENDATION", "destination": None, "originVersion": "v1"}).encode(),
        json.dumps({"origin": "RECOMMENDATION", "destination": "", "originVersion": "v1"}).encode(),
        call("A:B", "C"),
        call("A", "C", "B:"),
        call("TWO WORDS"),
        call("TWO\nLINES"),
        json.dumps({"origin": "NO VERSION"}).encode(),
        json.dumps({"origin": 1, "originVersion": "v1"}).encode(),
        b"",
        b"[" * 100_000,
        b'"text"',
        b'{"origin":"\xff","originVersion":"v1"}',
        None,
    ]
)
TIMES = st.one_of(st.integers(0, 60_000), st.integers(25_000, 35_000), st.just(-1))
RECORDS = st.lists(st.tuples(st.sampled_from(PLACES), TIMES, VALUES), max_size=12)
"""What arrives at once; partitions interleave, and times go back and forth."""
STEPS = st.lists(st.tuples(RECORDS, st.sampled_from([0, 0, 0, 1_000, 19_000, 20_000, 41_000])), max_size=20)
"""Records, and the milliseconds until the next arrive."""


@dataclass
class Kafka:
    """Logs of partitions, what is committed, and what came out."""

    logs: dict[Place, list[Sent]] = field(default_factory=lambda: {place: [] for place in PLACES})
    committed: dict[Place, tuple[int, str]] = field(default_factory=dict)
    topic: list[Line] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def append(self, records: Iterable[tuple[Place, int, bytes | None]]) -> list[Sent]:
        sent = []
        for place, at, value in records:
            sent.append(Sent(place, at, len(self.logs[place]), value))
            self.logs[place].append(sent[-1])
        return sent

    def commit(self, report: Report, groups: Iterable[Group] = ()) -> None:
        for place, checkpoint in report.checkpoints().items():
            self.committed[place] = (checkpoint.offset, checkpoint.metadata())
        self.topic += [line(group) for group in groups]

    def saved(self) -> dict[Place, Checkpoint | None]:
        return {
            place: Checkpoint.parse(*self.committed[place]) if place in self.committed else None for place in PLACES
        }

    def unread(self) -> list[Sent]:
        return [
            sent
            for place in PLACES
            for sent in self.logs[place][self.committed[place][0] if place in self.committed else 0 :]
        ]


def line(group: Group) -> Line:
    return (group.start, group.key, group.count)


class KilledError(Exception):
    pass


@dataclass
class Process:
    """A report and what is done with it; killed after so many of the steps that a closing has."""

    kafka: Kafka
    windows: Windows
    now: int
    steps: int = NEVER
    late: int = 0
    malformed: int = 0

    def __post_init__(self) -> None:
        self.report = Report(self.windows)
        self.report.assign(self.kafka.saved(), self.now / 1000)
        for place in PLACES:
            if not self.kafka.logs[place]:
                self.report.read_to(place, 0)

    def step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise KilledError

    def take(self, records: list[Sent]) -> None:
        taken = self.report.take(records, self.now / 1000)
        self.late += taken.late
        self.malformed += len(taken.malformed)
        for place in PLACES:
            self.report.read_to(place, 0)
        self.report.ends({place: len(log) for place, log in self.kafka.logs.items()})

    def close(self) -> None:
        while (closing := self.report.close(self.now / 1000)) is not None:
            self.step()
            if not closing.is_recount:
                self.kafka.commit(self.report, closing.groups)
            for group in closing.groups:
                self.step()
                self.kafka.lines.append(line(group))
            self.report.printed()
            self.step()
            self.kafka.commit(self.report)


@given(steps=STEPS, grace=st.sampled_from([0, 1, GRACE, 25_000]))
@settings(max_examples=300, deadline=None)
def test_the_report_is_that_of_brute_force(steps: list, grace: int) -> None:
    kafka, now = Kafka(), HOUR
    process = Process(kafka, Windows(SIZE, grace, IDLE), now)
    brute = BruteForce(PLACES, SIZE, grace, IDLE)
    brute.heard = dict.fromkeys(PLACES, now)
    for records, wait in steps:
        process.now = now
        sent = kafka.append(records)
        process.take(sent)
        for record in sent:
            brute.take(record.place, record.at, record.content, now)
        process.close()
        brute.look(now)
        now += wait
        process.now = now
        process.close()
        brute.look(now)
    assert sorted(kafka.topic) == sorted(brute.lines())
    assert kafka.lines == kafka.topic
    assert (process.late, process.malformed) == (brute.late, brute.malformed)


@given(steps=STEPS, kills=st.lists(st.integers(0, 12), max_size=12))
@settings(max_examples=300, deadline=None)
def test_kills_change_no_line_and_lose_none(steps: list, kills: list[int]) -> None:
    """Without idle partitions the report depends on the records alone, and so it is also the brute force's."""
    brute = BruteForce(PLACES, SIZE, GRACE, NEVER)
    # At last every partition goes far ahead, so that all that was before closes.
    last = [(place, 200_000, call("CUSTOMER", "PREFERENCE")) for place in PLACES]
    batches = [records for records, _ in steps] + [last]
    kafka = run_with_kills(batches, [0] * len(batches), kills, Windows(SIZE, GRACE, NEVER))
    for records in batches:
        for place, at, value in records:
            brute.take(place, at, value, 0)
        brute.look(0)
    assert sorted(kafka.topic) == sorted(brute.lines())
    assert set(kafka.lines) == set(kafka.topic)


@given(steps=STEPS, kills=st.lists(st.integers(0, 12), max_size=12))
@settings(max_examples=300, deadline=None)
def test_kills_keep_lines_as_they_are_when_partitions_are_idle(steps: list, kills: list[int]) -> None:
    waits = [wait for _, wait in steps] + [IDLE]
    kafka = run_with_kills([records for records, _ in steps] + [[]], waits, kills, Windows(SIZE, GRACE, IDLE))
    assert len({(start, key) for start, key, _ in kafka.topic}) == len(kafka.topic)
    assert set(kafka.lines) == set(kafka.topic)


def run_with_kills(batches: list, waits: list[int], kills: list[int], windows: Windows) -> Kafka:
    """Let processes report, one after the other. What comes while there is none is read by the next one, in pieces."""
    kafka, now, remaining = Kafka(), HOUR, list(kills)
    process = Process(kafka, windows, now, remaining.pop() if remaining else NEVER)
    coming, pauses = list(batches), list(waits)
    unread: list[Sent] = []
    while coming or unread:
        process.now = now
        if coming:
            unread += kafka.append(coming.pop(0))
        try:
            process.take(unread[:PIECE])
            process.close()
            now += pauses.pop(0) if pauses else 0
            process.now = now
            process.take(unread[PIECE : 2 * PIECE])
            process.close()
            unread = unread[2 * PIECE :]
        except KilledError:
            if coming:
                kafka.append(coming.pop(0))
            process = Process(kafka, windows, now, remaining.pop() if remaining else NEVER)
            unread = kafka.unread()
    process = Process(kafka, windows, now)
    process.take(kafka.unread())
    process.close()
    return kafka


def test_calls_that_waited_while_kafka_was_away_are_in_time() -> None:
    """Idle is a partition only while Kafka answers."""
    kafka = Kafka()
    process = Process(kafka, Windows(SIZE, GRACE, IDLE), HOUR)
    process.take(kafka.append([(PLACES[0], 1_000, call("A"))]))
    process.now += IDLE + 1
    process.report.unanswered(process.now / 1000)
    process.close()
    assert kafka.topic == []
    process.now += 1_000
    process.take(kafka.append([(PLACES[1], 2_000, call("A"))]))
    process.now += IDLE
    process.take([])
    process.close()
    assert kafka.topic == [(0, "A:v1:", 2)]


def test_a_partition_with_records_to_read_is_not_idle() -> None:
    kafka = Kafka()
    process = Process(kafka, Windows(SIZE, GRACE, IDLE), HOUR)
    process.take(kafka.append([(PLACES[0], 1_000, call("A"))]))
    waiting = kafka.append([(PLACES[1], 2_000, call("A"))])
    process.report.ends({PLACES[1]: 1})
    process.now += IDLE
    process.close()
    assert kafka.topic == []
    process.take(waiting)
    process.now += IDLE
    process.close()
    assert kafka.topic == [(0, "A:v1:", 2)]


def test_a_late_call_that_is_read_again_is_not_counted_again() -> None:
    kafka = Kafka()
    process = Process(kafka, Windows(SIZE, 0, NEVER), HOUR)
    process.take(kafka.append([(place, at, call("A")) for place in PLACES for at in (1, 70_000, 2)]))
    process.close()
    assert process.late == len(PLACES)
    process = Process(kafka, Windows(SIZE, 0, NEVER), HOUR)
    process.take(kafka.unread() + kafka.append([(PLACES[0], 3, call("A"))]))
    assert process.late == 1


def test_where_malformed_records_are_is_told() -> None:
    report = Report(Windows(SIZE, GRACE, IDLE))
    report.assign({PLACES[0]: None}, 0)
    taken = report.take([Sent(PLACES[0], 1, 4, call("A")), Sent(PLACES[0], 2, 5, b"junk")], 0)
    assert taken.malformed == [(PLACES[0], 5)]


def test_the_first_value_is_kept_and_told() -> None:
    kafka = Kafka()
    process = Process(kafka, Windows(SIZE, 0, NEVER), HOUR)
    later = json.dumps({"origin": "A", "originVersion": "v1", "destination": ""}).encode()
    process.take(kafka.append([(PLACES[0], 5_000, later), (PLACES[0], 4_000, call("A"))]))
    process.take(kafka.append([(PLACES[0], 15_000, later), (PLACES[1], 14_000, call("A"))]))
    process.take(kafka.append([(place, 30_000, call("A")) for place in PLACES]))
    closing = process.report.close(0)
    assert closing is not None
    assert [group.destination for group in closing.groups] == [None, None]


def test_forms_of_a_line() -> None:
    group = Group(1795543200000, 1795543500000, "CUSTOMER:v1:PREFERENCE", 42, "CUSTOMER", "v1", "PREFERENCE")
    assert group.text() == "2026-11-24T18:00:00Z/2026-11-24T18:05:00Z CUSTOMER:v1:PREFERENCE 42"
    assert json.loads(group.json()) == {
        "windowStart": "2026-11-24T18:00:00Z",
        "windowEnd": "2026-11-24T18:05:00Z",
        "key": "CUSTOMER:v1:PREFERENCE",
        "origin": "CUSTOMER",
        "originVersion": "v1",
        "destination": "PREFERENCE",
        "count": 42,
    }


def test_what_somebody_else_committed_is_an_offset_alone() -> None:
    assert Checkpoint.parse(7, "not ours") == Checkpoint(7, position=7)
    assert Checkpoint.parse(7, None) == Checkpoint(7, position=7)
    mine = Checkpoint(7, position=9, closed=4, reported=3)
    assert Checkpoint.parse(7, mine.metadata()) == mine

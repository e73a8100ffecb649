"""The report's rules, against an implementation of them by brute force, over traffic of all kinds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.batches import DirectRecord
from services.checkpoint import Checkpoint
from services.report import MAX_COUNTS_PER_WINDOW, SKEW, Now, Place, Reason, Report, Skipped, Windows
from services.window_count import WindowCount
from tests.services.brute_force import BruteForce, Line

pytestmark = pytest.mark.unit

PLACES: list[Place] = [("customer", 0), ("customer", 1), ("preference", 0)]
SIZE, GRACE, IDLE = 10_000, 3_000, 20_000
HOUR = 3_600_000
BASE = HOUR - 60_000
PIECE = 7
NEVER = 10**12


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
        call("PREFERENCE", "RECOMMENDATION"),
        call("A:B", "C"),
        call("A", "C", "B:"),
        call("TWO WORDS"),
        call("TWO\nLINES"),
        call("CUSTOMER", "P" * 63),
        call("CUSTOMER", "P" * 64),
        call("CUSTOMER", "PREFERENCE", "v" * 1_000_000),
        call("", "PREFERENCE"),
        json.dumps({"origin": "NO VERSION"}).encode(),
        json.dumps({"origin": 1, "originVersion": "v1"}).encode(),
        b"",
        b"[" * 100_000,
        b'"text"',
        b'{"origin":"\xff","originVersion":"v1"}',
        None,
    ]
)
TIMES = st.one_of(
    st.integers(HOUR - 60_000, HOUR),
    st.integers(HOUR - 35_000, HOUR - 25_000),
    # A writer may say whatever it likes.
    st.sampled_from(
        [-1, 0, 1, HOUR + 9_999, HOUR + 10_000, HOUR + 10_001, HOUR + 50_000, 2 * HOUR, 253_402_300_800_000, 2**62]
    ),
)
RECORDS = st.lists(st.tuples(st.sampled_from(PLACES), TIMES, VALUES), max_size=12)
"""What arrives at once; partitions interleave, and times go back and forth."""
WRITERS = {"customer": {"CUSTOMER", "A", "A:B"}, "preference": {"PREFERENCE", "RECOMMENDATION"}}
STEPS = st.lists(st.tuples(RECORDS, st.sampled_from([0, 0, 0, 1_000, 19_000, 20_000, 41_000])), max_size=20)
"""Records, and the milliseconds until the next arrive."""


@dataclass
class Kafka:
    """Logs of partitions, what is committed, and what came out."""

    logs: dict[Place, list[DirectRecord]] = field(default_factory=lambda: {place: [] for place in PLACES})
    committed: dict[Place, tuple[int, str]] = field(default_factory=dict)
    topic: list[Line] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def append(self, records: Iterable[tuple[Place, int, bytes | None]]) -> list[DirectRecord]:
        sent = []
        for place, at, value in records:
            sent.append(DirectRecord(place, len(self.logs[place]), at, value))
            self.logs[place].append(sent[-1])
        return sent

    def commit(self, report: Report, groups: Iterable[WindowCount] = ()) -> None:
        for place, checkpoint in report.checkpoints().items():
            self.committed[place] = (checkpoint.offset, checkpoint.metadata())
        self.topic += [line(window_count) for window_count in groups]

    def saved(self) -> dict[Place, Checkpoint | None]:
        return {
            place: Checkpoint.parse(*self.committed[place]) if place in self.committed else None for place in PLACES
        }

    def unread(self) -> list[DirectRecord]:
        return [
            sent
            for place in PLACES
            for sent in self.logs[place][self.committed[place][0] if place in self.committed else 0 :]
        ]


def line(window_count: WindowCount) -> Line:
    return (window_count.start, window_count.key, window_count.count)


class KilledError(Exception):
    pass


@dataclass
class Process:
    """A report and what is done with it; killed after so many of the steps that a closing has."""

    kafka: Kafka
    windows: Windows
    now: int
    steps: int = NEVER
    writers: dict[str, set[str]] = field(default_factory=dict)
    skipped: Skipped = field(default_factory=Skipped)

    def __post_init__(self) -> None:
        self.report = Report(self.windows, self.writers)
        self.report.assign(self.kafka.saved(), self.now / 1000)
        for place in PLACES:
            if not self.kafka.logs[place]:
                self.report.read_to(place, 0)

    def step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise KilledError

    def take(self, records: list[DirectRecord]) -> None:
        skipped = self.report.take(records, self.clock)
        self.skipped.counts += skipped.counts
        for place in PLACES:
            self.report.read_to(place, 0)
        self.report.ends({place: len(log) for place, log in self.kafka.logs.items()}, self.now / 1000)

    @property
    def clock(self) -> Now:
        return Now(self.now / 1000, self.now)

    def count(self, reason: Reason) -> int:
        return sum(count for (_, why), count in self.skipped.counts.items() if why is reason)

    def close(self) -> None:
        while (closing := self.report.close(self.clock)) is not None:
            self.step()
            if not closing.is_recount:
                self.kafka.commit(self.report, closing.window_counts)
            for window_count in closing.window_counts:
                self.step()
                self.kafka.lines.append(line(window_count))
            self.report.printed()
            self.step()
            self.kafka.commit(self.report)


@given(steps=STEPS, grace=st.sampled_from([0, 1, GRACE, 25_000]))
@settings(max_examples=300, deadline=None)
def test_the_report_is_that_of_brute_force(steps: list, grace: int) -> None:
    kafka, now = Kafka(), HOUR
    process = Process(kafka, Windows(SIZE, grace, IDLE), now, writers=WRITERS)
    brute = BruteForce(PLACES, SIZE, grace, IDLE, since=now, writers=WRITERS)
    for records, wait in steps:
        process.now = now
        sent = kafka.append(records)
        process.take(sent)
        for record in sent:
            brute.take(record.place, record.time, record.content, now)
        process.close()
        brute.look(now)
        now += wait
        process.now = now
        process.close()
        brute.look(now)
    assert sorted(kafka.topic) == sorted(brute.lines())
    assert kafka.lines == kafka.topic
    assert {reason: process.count(Reason(reason)) for reason in brute.skipped} == brute.skipped


@given(steps=STEPS, kills=st.lists(st.integers(0, 12), max_size=12))
@settings(max_examples=300, deadline=None)
def test_kills_change_no_line_and_lose_none(steps: list, kills: list[int]) -> None:
    """Without idle partitions the report depends on the records alone, and so it is also the brute force's."""
    brute = BruteForce(PLACES, SIZE, GRACE, NEVER)
    # At last every partition comes to the present, so that all that was before closes.
    last = [(place, HOUR, call("CUSTOMER", "PREFERENCE")) for place in PLACES]
    batches = [records for records, _ in steps] + [last]
    kafka = run_with_kills(batches, [0] * len(batches), kills, Windows(SIZE, GRACE, NEVER))
    for records in batches:
        for place, at, value in records:
            brute.take(place, at, value, HOUR)
        brute.look(HOUR)
    assert sorted(kafka.topic) == sorted(brute.lines())
    assert set(kafka.lines) == set(kafka.topic)


@given(steps=STEPS, kills=st.lists(st.integers(0, 12), max_size=12))
@settings(max_examples=300, deadline=None)
def test_kills_keep_lines_as_they_are_when_partitions_are_idle(steps: list, kills: list[int]) -> None:
    """But for counts of a writer whose timestamps are ahead of now: when lines are counted again, now has moved on."""
    batches = [
        [(place, at, value) for place, at, value in records if at <= HOUR + SKEW or place[0] == "customer"]
        for records, _ in steps
    ]
    waits = [wait for _, wait in steps] + [IDLE]
    kafka = run_with_kills([*batches, []], waits, kills, Windows(SIZE, GRACE, IDLE), WRITERS)
    assert len({(start, key) for start, key, _ in kafka.topic}) == len(kafka.topic)
    is_hostile = any(at > HOUR + SKEW for records in batches for _, at, _ in records)

    def comparable(lines: list[Line]) -> set[Line]:
        return {it for it in lines if not (is_hostile and it[1].partition(":")[0] in WRITERS["customer"])}

    assert comparable(kafka.lines) == comparable(kafka.topic)


def run_with_kills(
    batches: list, waits: list[int], kills: list[int], windows: Windows, writers: dict[str, set[str]] | None = None
) -> Kafka:
    """Let processes report, one after the other. What comes while there is none is read by the next one, in pieces."""
    kafka, now, remaining = Kafka(), HOUR, list(kills)
    process = Process(kafka, windows, now, remaining.pop() if remaining else NEVER, writers or {})
    coming, pauses = list(batches), list(waits)
    unread: list[DirectRecord] = []
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
            process = Process(kafka, windows, now, remaining.pop() if remaining else NEVER, writers or {})
            unread = kafka.unread()
    process = Process(kafka, windows, now, writers=writers or {})
    process.take(kafka.unread())
    process.close()
    return kafka


def test_calls_that_waited_while_kafka_was_away_are_in_time() -> None:
    """Idle is a partition only while Kafka answers."""
    kafka = Kafka()
    process = Process(kafka, Windows(SIZE, GRACE, IDLE), HOUR)
    process.take(kafka.append([(PLACES[0], BASE + 1_000, call("A"))]))
    process.now += IDLE + 1
    process.report.unanswered(process.now / 1000)
    process.close()
    assert kafka.topic == []
    process.now += 1_000
    process.take(kafka.append([(PLACES[1], BASE + 2_000, call("A"))]))
    process.now += IDLE
    process.take([])
    process.close()
    assert kafka.topic == [(BASE, "A:v1:", 2)]


def test_a_partition_with_records_to_read_is_not_idle() -> None:
    kafka = Kafka()
    process = Process(kafka, Windows(SIZE, GRACE, IDLE), HOUR)
    process.take(kafka.append([(PLACES[0], BASE + 1_000, call("A"))]))
    waiting = kafka.append([(PLACES[1], BASE + 2_000, call("A"))])
    process.report.ends({PLACES[1]: 1}, process.now / 1000)
    process.now += IDLE
    process.close()
    assert kafka.topic == []
    process.take(waiting)
    process.now += IDLE
    process.close()
    assert kafka.topic == [(BASE, "A:v1:", 2)]


def test_a_late_call_that_is_read_again_is_not_counted_again() -> None:
    kafka = Kafka()
    process = Process(kafka, Windows(SIZE, 0, NEVER), HOUR)
    process.take(kafka.append([(place, BASE + at, call("A")) for place in PLACES for at in (1, 50_000, 2)]))
    process.close()
    assert process.count(Reason.LATE) == len(PLACES)
    process = Process(kafka, Windows(SIZE, 0, NEVER), HOUR)
    process.take(kafka.unread() + kafka.append([(PLACES[0], BASE + 3, call("A"))]))
    assert process.count(Reason.LATE) == 1


def test_where_the_first_of_what_is_skipped_is_is_told() -> None:
    report = Report(Windows(SIZE, GRACE, IDLE))
    report.assign({PLACES[0]: None}, 0)
    junk = [DirectRecord(PLACES[0], number, 1, b"junk") for number in (5, 6)]
    skipped = report.take([DirectRecord(PLACES[0], 4, 1, call("A")), *junk], Now(0, HOUR))
    assert skipped.counts == {("customer", Reason.MALFORMED): 2}
    assert skipped.first == {("customer", Reason.MALFORMED): (0, 5)}


def test_the_first_value_is_kept_and_told() -> None:
    kafka = Kafka()
    process = Process(kafka, Windows(SIZE, 0, NEVER), HOUR)
    later = json.dumps({"origin": "A", "originVersion": "v1", "destination": ""}).encode()
    process.take(kafka.append([(PLACES[0], BASE + 5_000, later), (PLACES[0], BASE + 4_000, call("A"))]))
    process.take(kafka.append([(PLACES[0], BASE + 15_000, later), (PLACES[1], BASE + 14_000, call("A"))]))
    process.take(kafka.append([(place, BASE + 30_000, call("A")) for place in PLACES]))
    closing = process.report.close(process.clock)
    assert closing is not None
    assert [window_count.destination for window_count in closing.window_counts] == [None, None]


def closing(kafka: Kafka, *waits: int) -> Process:
    """Return a report on three partitions to which honest calls have come, after so much time."""
    process = Process(kafka, Windows(SIZE, GRACE, IDLE), HOUR, writers=WRITERS)
    process.take(kafka.append(honest(HOUR)))
    for wait in waits:
        process.now += wait
        process.take([])
        process.close()
    return process


def honest(at: int) -> list[tuple[Place, int, bytes]]:
    return [(place, at, call("CUSTOMER" if place[0] == "customer" else "PREFERENCE")) for place in PLACES]


@pytest.mark.parametrize("ahead", [5_000, 10_000, 10_001, HOUR - 1, 253_402_300_800_000, 2**62])
def test_a_record_ahead_of_now_closes_no_window_and_makes_nobody_late(ahead: int) -> None:
    """Of another topic, or of the same one: a window is open until the wall clock has passed it and the grace."""
    kafka = Kafka()
    process = closing(kafka)
    process.take(kafka.append([(place, HOUR + ahead, call("CUSTOMER")) for place in PLACES[:2]]))
    process.close()
    for _ in range(12):
        process.now += 1_000
        process.close()
        process.take(kafka.append([(PLACES[2], process.now, call("PREFERENCE"))]))
    assert kafka.topic == []
    process.now += 1_000
    process.take(kafka.append(honest(process.now)))
    process.close()
    assert (HOUR, "PREFERENCE:v1:", 10) in kafka.topic
    assert {key for _, key, _ in kafka.topic} <= {"CUSTOMER:v1:", "PREFERENCE:v1:"}
    assert process.count(Reason.LATE) == 0


def test_in_a_window_that_is_ahead_in_part_that_part_does_not_count() -> None:
    """With windows of a day, a time ahead of now is in the window of the calls before it."""
    kafka = Kafka()
    process = Process(kafka, Windows(24 * HOUR, GRACE, IDLE), HOUR)
    times = (HOUR, HOUR + 10_000, HOUR + 10_001, 20 * HOUR, HOUR)
    process.take(kafka.append([(PLACES[0], at, call("CUSTOMER")) for at in times]))
    assert process.skipped.counts == {("customer", Reason.AHEAD): 2}


def test_one_writers_time_closes_no_window_that_others_still_fill() -> None:
    """They were silent for the idle time; nothing of theirs is late that is sent when it is made."""
    kafka = Kafka()
    process = closing(kafka, IDLE + SIZE)
    before = list(kafka.topic)
    process.take(kafka.append([(PLACES[0], process.now + 10_000, call("CUSTOMER"))]))
    process.close()
    process.take(kafka.append([(PLACES[2], process.now - GRACE + 1, call("PREFERENCE"))]))
    assert process.count(Reason.LATE) == 0
    assert kafka.topic == before


def test_a_writer_that_stays_in_the_past_holds_nobody_up_for_longer_than_the_idle_time() -> None:
    kafka = Kafka()
    process = closing(kafka)
    for _ in range(SIZE + GRACE + IDLE, 0, -1_000):
        assert kafka.topic == []
        process.now += 1_000
        process.take(kafka.append([(PLACES[0], HOUR - 50_000, call("CUSTOMER")), *honest(process.now)[1:]]))
        process.close()
    assert (HOUR, "PREFERENCE:v1:", 10) in kafka.topic
    assert (HOUR, "CUSTOMER:v1:", 11) in kafka.topic


def test_a_writer_counts_for_nobody_but_itself() -> None:
    kafka = Kafka()
    process = closing(kafka)
    process.take(kafka.append([(PLACES[2], HOUR, call("CUSTOMER"))] * 5))
    assert process.skipped.counts == {("preference", Reason.FOREIGN): 5}


def test_a_writer_of_more_kinds_than_are_counted_takes_no_room_for_them_and_none_of_others() -> None:
    kafka = Kafka()
    process = closing(kafka)
    many = [(PLACES[0], HOUR, call("CUSTOMER", f"D{number}")) for number in range(3 * MAX_COUNTS_PER_WINDOW)]
    process.take(kafka.append([*many, *honest(HOUR)]))
    assert process.count(Reason.CROWDED) == 2 * MAX_COUNTS_PER_WINDOW + 1
    process.now += SIZE + GRACE
    process.take(kafka.append(honest(process.now)))
    process.close()
    assert len(kafka.topic) == MAX_COUNTS_PER_WINDOW + 1
    assert (HOUR, "PREFERENCE:v1:", 2) in kafka.topic
    assert (HOUR, "CUSTOMER:v1:", 4) in kafka.topic


def test_a_writer_of_more_windows_than_are_kept_takes_no_room_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.report.MAX_WINDOW_COUNTS", 50 * len(PLACES))
    kafka = Kafka()
    process = Process(kafka, Windows(SIZE, GRACE, IDLE), HOUR, writers=WRITERS)
    process.take(kafka.append([(PLACES[1], number * SIZE, call("CUSTOMER")) for number in range(300)]))
    assert process.report.open_windows == 50
    assert process.count(Reason.CROWDED) == 250
    # The honest call of the same partition is one too many, too, as long as these windows are open.
    for crowded in (251, 251):
        process.now += IDLE
        process.take(kafka.append(honest(process.now)))
        process.close()
        assert process.count(Reason.CROWDED) == crowded
    assert len(kafka.topic) == 50 + 2


@pytest.mark.parametrize("partitions", [1, 7, 40])
def test_a_writer_of_many_partitions_takes_no_more_room_than_there_is_for_all(
    monkeypatch: pytest.MonkeyPatch, partitions: int
) -> None:
    monkeypatch.setattr("services.report.MAX_WINDOW_COUNTS", 100)
    places = [("customer", number) for number in range(partitions)]
    kafka = Kafka(logs={place: [] for place in places})
    report = Report(Windows(SIZE, GRACE, IDLE))
    report.assign(dict.fromkeys(places), 0)
    many = [(place, HOUR, call("CUSTOMER", f"D{number}")) for place in places for number in range(200)]
    skipped = report.take(kafka.append(many), Now(0, HOUR))
    room = partitions * 200 - skipped.counts["customer", Reason.CROWDED]
    assert 100 - partitions < room <= 100


@pytest.mark.parametrize(
    ("origin", "version", "destination"), [("A:B", "C", "D"), ("A", "B:C", "D"), ("A", "B", "C:D")]
)
def test_a_key_is_read_one_way_alone(origin: str, version: str, destination: str) -> None:
    kafka = Kafka()
    process = Process(kafka, Windows(SIZE, GRACE, IDLE), HOUR)
    calls = [call("A", "C", "B"), call(origin, destination, version), call("A", "C", "B")]
    process.take(kafka.append([(PLACES[0], HOUR, value) for value in calls]))
    assert process.count(Reason.MALFORMED) == 1


def test_the_longest_group_is_far_smaller_than_a_topic_takes() -> None:
    name = "n" * 63
    kafka = Kafka()
    process = Process(kafka, Windows(SIZE, 0, NEVER), HOUR)
    process.take(kafka.append([(place, at, call(name, name, name)) for place in PLACES for at in (BASE, HOUR)]))
    closing = process.report.close(process.clock)
    assert closing is not None
    assert [window_count.origin for window_count in closing.window_counts] == [name]
    assert len(closing.window_counts[0].json()) + len(closing.window_counts[0].key) < 1_000


def test_forms_of_a_line() -> None:
    window_count = WindowCount(
        1795543200000, 1795543500000, "CUSTOMER:v1:PREFERENCE", 42, "CUSTOMER", "v1", "PREFERENCE"
    )
    assert window_count.text() == "2026-11-24T18:00:00Z/2026-11-24T18:05:00Z CUSTOMER:v1:PREFERENCE 42"
    assert json.loads(window_count.json()) == {
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

"""What follows from the counters, and how it is told."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from config.counters import BUCKET_S, BUCKETS, Recent, RunCounts, recent
from config.errors import BrokerUnavailableError
from semjpeg.cli import cli
from semjpeg.status.document import run_document, system_document
from semjpeg.status.show import detail, overview
from semjpeg.status.state import RunState, SystemState, WorkerState
from semjpeg.status.watch import Lines, watch
from semjpeg.status.words import megabytes, pace, run_line, span, stage, system_lines

NOW_S = 1_800_000_003.0
NOW_MS = int(NOW_S * 1000)
COUNTS = ("enqueued", "done", "unchanged", "failed")


def run_state(in_flight: int = 0, lately: int = 0, name: str = "nightly", sources: tuple[str, ...] = (), **counts: int):
    moments = {"began_ms": NOW_MS - 90_000, "first_ended_ms": NOW_MS - 80_000, "last_ended_ms": NOW_MS - 1000}
    return RunState(
        RunCounts(name, NOW_S, {**moments, **counts}, Recent(lately, 1000 * lately, 60.0), ("s3://out/a",), sources),
        in_flight,
    )


def system_state(*runs: RunState, workers: tuple[WorkerState, ...] = (), **figures: int) -> SystemState:
    queue = {"other_runs": 0, "waiting": 0, "delivered": 0, "put_aside": 0, **figures}
    return SystemState(datetime.fromtimestamp(NOW_S, UTC), runs, workers=workers, **queue)


def drawn(view, state: SystemState, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(view(state, width))
    return console.file.getvalue()


@given(st.lists(st.integers(0, 10**9), min_size=4, max_size=4), st.integers(0, 1000), st.integers(0, 10**6))
@settings(deadline=None, derandomize=True)
def test_no_figure_is_negative_and_all_add_up(counts, in_flight, lately):
    run = run_state(in_flight, lately, **dict(zip(COUNTS, counts, strict=True)))
    assert run.ended == counts[1] + counts[2] + counts[3]
    assert run.queued + run.in_flight == run.left
    assert run.ended + run.left == run.jobs >= counts[0]
    assert run.left >= counts[0] - run.ended
    assert min(run.left, run.queued, run.in_flight, run.images_per_s, run.mean_images_per_s or 0) >= 0
    assert run.left_s is None or run.left_s >= 0
    assert run.is_over == (counts[0] <= run.ended and in_flight == 0)


@given(
    st.dictionaries(st.integers(-40, 0), st.integers(1, 100)),
    st.floats(0, 600),
    st.integers(0, 1000 * BUCKET_S - 1),
)
@settings(deadline=None, derandomize=True)
def test_the_last_minute_holds_what_ended_then_and_nothing_older(ended, age_s, into_bucket_ms):
    this = 360_000_000
    at_s = this * BUCKET_S + into_bucket_ms / 1000
    stored = {f"{this + back}:{name}": n for back, n in ended.items() for name in ("images", "bytes_in")}
    found = recent(stored, at_s, at_s - age_s)
    assert found.images == found.bytes_in == sum(n for back, n in ended.items() if back >= -BUCKETS)
    assert found.seconds == pytest.approx(min(age_s, 60 + into_bucket_ms / 1000), abs=1e-3)


def test_time_left_follows_the_last_minute():
    run = run_state(enqueued=100, done=40, unchanged=5, failed=5, in_flight=2, lately=30)
    assert (run.images_per_s, run.bytes_in_per_s) == (0.5, 500)
    assert run.left_s == 100
    assert run.mean_images_per_s == pytest.approx(49 / 79)
    assert run_state(enqueued=10, done=10).left_s == 0


@pytest.mark.parametrize(
    ("run", "workers", "reason"),
    [
        (run_state(enqueued=9, done=3, lately=3, sources=("s3://in/a",)), 1, "unknown: still being enqueued"),
        (run_state(enqueued=9, done=3), 1, "unknown: nothing ended lately"),
        (run_state(enqueued=9, done=3), 0, "unknown: no worker is alive"),
    ],
)
def test_an_unknown_time_left_is_said_to_be_unknown_and_why(run, workers, reason):
    state = system_state(run, workers=(WorkerState("celery@a", 3, {}, 0, 1.0),) * workers)
    assert run.left_s is None
    assert reason in drawn(detail, state, 100)
    assert run_document(state)["left_s"] is None
    assert "time left unknown" in run_line(state)


def test_a_pace_is_not_told_from_less_than_five_seconds():
    counted = RunCounts("new", NOW_S, {"enqueued": 9, "done": 4, "first_ended_ms": NOW_MS - 4900}, Recent(4, 4, 4.9))
    assert RunState(counted).images_per_s is None
    assert RunState(counted).left_s is None
    assert RunState(RunCounts("fresh", NOW_S, {"enqueued": 9}, Recent(0, 0, 60))).images_per_s is None


def test_a_run_is_over_only_when_nothing_is_left_and_nothing_may_come():
    assert stage(run_state(enqueued=3, done=2, failed=1)) == "over"
    assert stage(run_state(enqueued=3, done=3, sources=("s3://in",))) == "being enqueued"
    assert stage(run_state(enqueued=3, done=3, in_flight=1)) == "running"
    assert stage(run_state(enqueued=3, done=2)) == "waiting"


def test_more_may_have_ended_than_was_queued():
    twice = run_state(enqueued=3, done=3, unchanged=2, in_flight=1)
    assert (twice.left, twice.queued, twice.jobs) == (1, 0, 6)
    shown = drawn(detail, system_state(twice), 100)
    assert "5 of 6" in shown
    assert " -" not in shown


@pytest.mark.parametrize("width", [40, 56, 79, 80, 115, 116, 200])
@pytest.mark.parametrize("view", [overview, detail])
def test_every_width_holds_the_whole_picture(view, width):
    run = run_state(enqueued=1_234_567, done=900_000, failed=12, in_flight=6, lately=300, bytes_in=3 * 10**12)
    workers = (WorkerState("celery@a-rather-long-host-name.example", 4, {"nightly": 4}, 99, 7200.0),)
    text = drawn(view, system_state(run, workers=workers, waiting=334_543, delivered=6), width)
    assert max(map(len, text.splitlines())) <= width
    assert "900,000" in text
    assert "12" in text


def test_no_worker_and_no_run():
    assert "0 alive" in drawn(overview, system_state(), 80)
    assert "no runs yet" in drawn(overview, system_state(), 80)
    state = system_state(run_state(enqueued=4), delivered=3, waiting=1)
    assert "3 taken by no living worker" in drawn(detail, state, 100)
    assert (state.held, state.in_flight) == (3, 0)


def test_a_name_is_shown_as_text_and_moves_no_cursor():
    state = system_state(run_state(name="[red]\x1b[2J", enqueued=1, done=1))
    for view in (overview, detail):
        text = drawn(view, state, 100)
        assert "[red]" in text
        assert "\x1b" not in text
    assert "\x1b" not in run_line(state)


def test_the_document_names_every_figure():
    busy = WorkerState("celery@a", 3, {"nightly": 2, "other": 1}, 12, 60.0)
    run = run_state(enqueued=9, done=3, failed=1, in_flight=2, lately=6, bytes_in=7000, bytes_out=2000)
    state = system_state(run, workers=(busy,), waiting=3, delivered=4, put_aside=5, other_runs=6)
    document = json.loads(json.dumps(run_document(state)))
    wanted = {"run": "nightly", "enqueued": 9, "done": 3, "unchanged": 0, "failed": 1, "in_flight": 2, "queued": 3}
    wanted |= {"left": 5, "bytes_in": 7000, "bytes_out": 2000, "images_per_s": 0.1, "left_s": 50, "over": False}
    wanted |= {"queue": {"waiting": 3, "delivered": 4, "held": 1, "put_aside": 5}, "places": ["s3://out/a"]}
    assert {name: document[name] for name in wanted} == wanted
    assert document["workers"][0]["in_flight"] == 3
    assert document["workers"][0]["in_flight_by_run"] == {"nightly": 2, "other": 1}
    assert datetime.fromisoformat(document["at"]) == state.at
    assert [run["run"] for run in system_document(state)["runs"]] == ["nightly"]
    assert system_document(state)["other_runs"] == 6


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "unknown"),
        (0, "0 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3605, "1 h"),
        (7325, "2 h 2 min"),
        (90_000, "1 d 1 h"),
        (10**12, "over 1,000 d"),
    ],
)
def test_spans(seconds, words):
    assert span(seconds) == words


def test_amounts():
    assert megabytes(0, 0) == "–"
    assert megabytes(99_994_999, 10_000) == "99.99 → 0.01"
    assert megabytes(1_234_500_000, 100_000_000) == "1,234 → 100"
    assert (pace(None), pace(0.0), pace(9.994), pace(1234.56)) == ("–", "0.00", "9.99", "1,234.6")


def test_lines_for_a_log_name_the_runs_that_are_not_over():
    over = run_state(name="old", enqueued=1, done=1)
    going = run_state(enqueued=10, done=3, failed=1, in_flight=2, lately=30, bytes_in=2_000_000, bytes_out=500_000)
    queue, line = system_lines(system_state(going, over, waiting=4, delivered=2)).splitlines()
    assert queue == "queue: 4 waiting, 2 taken, 0 put aside, 0 workers, 0 in flight"
    counts, _, amounts = line.partition(", MB in → out ")
    assert counts == "nightly: running, 3 done, 0 unchanged, 1 failed, 2 in flight, 4 queued"
    assert amounts == "2.00 → 0.50, 0.50 images/s, time left 12 s"


def test_watching_waits_for_the_broker_and_ends_with_the_run(capsys):
    going, over = (system_state(run_state(enqueued=2, done=done)) for done in (1, 2))

    def looks() -> Iterator[SystemState | Exception]:
        yield BrokerUnavailableError("the broker at here:1 does not answer")
        yield BrokerUnavailableError("the broker at here:1 does not answer")
        yield going
        yield over
        raise AssertionError("looked again")

    answers = looks()

    def look() -> SystemState:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert watch(look, Lines(run_line), 0.0, until_over=True) is over
    told = capsys.readouterr()
    assert told.err == "waiting: the broker at here:1 does not answer\n"
    assert [line.split(",")[0] for line in told.out.splitlines()] == ["nightly: waiting", "nightly: over"]


def test_a_run_and_all_contradict_each_other():
    result = CliRunner().invoke(cli, ["status", "nightly", "--all"])
    assert result.exit_code == 2
    assert "either RUN or --all" in result.output

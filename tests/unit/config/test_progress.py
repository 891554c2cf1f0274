"""When a process gets on, and when it does not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.telemetry.progress import SILENCE_S, WAITING, Progress

PATIENCE_S = 360.0


@pytest.fixture
def clock():
    return SimpleNamespace(now=1000.0)


@pytest.fixture
def progress(clock):
    return Progress(2, PATIENCE_S, lambda: clock.now)


def test_an_image_that_stays_in_a_stage_is_no_progress(progress, clock):
    image, other = progress.begin(), progress.begin()
    progress.enter(image, "fetch")
    clock.now += PATIENCE_S - 1
    progress.enter(other, "encode")
    assert progress.trouble() is None
    clock.now += 2
    assert "'fetch' for 361 s" in progress.trouble()
    progress.end(image)
    assert progress.trouble() is None


def test_an_image_that_waits_waits_for_others(progress, clock):
    patient, busy = progress.begin(), progress.begin()
    for _ in range(10):
        progress.enter(busy, "encode")
        clock.now += PATIENCE_S / 2
        assert progress.trouble() is None
    progress.end(busy)
    clock.now += PATIENCE_S
    assert progress.trouble() is None
    clock.now += 1
    assert "'waiting'" in progress.trouble()
    progress.enter(patient, "fetch")
    assert progress.trouble() is None


def test_jobs_that_nobody_takes_are_no_progress(progress, clock):
    clock.now += 10 * PATIENCE_S
    progress.looked(5)
    assert progress.trouble() is None
    clock.now += PATIENCE_S + 1
    progress.looked(5)
    assert "none was taken for 361 s" in progress.trouble()
    progress.end(progress.begin())
    assert progress.trouble() is None


def test_what_a_silent_broker_may_hold_is_not_missed(progress, clock):
    for waiting in (5, None, 5):
        progress.looked(waiting)
        clock.now += PATIENCE_S / 2 + 1
    assert progress.trouble() is None


@pytest.mark.parametrize("busy", [True, False])
def test_nothing_to_do_or_nobody_free_is_no_trouble(progress, clock, busy):
    images = [progress.begin(), progress.begin()] if busy else []
    for _ in range(3):
        progress.looked(5 if busy else 0)
        clock.now += PATIENCE_S + 1
        for image in images:
            progress.enter(image, "encode")
    assert progress.trouble() is None


def test_a_process_that_takes_no_jobs_does_not_miss_them(clock):
    progress = Progress(0, PATIENCE_S, lambda: clock.now)
    progress.looked(5)
    clock.now += 2 * PATIENCE_S
    progress.looked(5)
    assert progress.trouble() is None


def test_a_broker_that_stays_silent_is_no_progress(progress, clock):
    progress.looked(0)
    clock.now += 10 * SILENCE_S
    progress.looked(None)
    clock.now += SILENCE_S - 1
    progress.looked(None)
    assert progress.trouble() is None
    clock.now += 2
    assert "not answered for 121 s" in progress.trouble()
    progress.looked(0)
    assert progress.trouble() is None


class Diary:
    """The definition of progress, read off everything that ever happened."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.entries: list[tuple[float, str, object]] = []
        self.images: dict[int, tuple[str, float]] = {}
        self.moved = 0.0

    def note(self, now: float, event: str, what: object = None) -> None:
        free = len(self.images) < self.threads
        self.entries.append((now, event, (what, free) if event == "looked" else what))

    def _since(self, now: float, bad, ended) -> float:
        """Seconds since the first of the bad looks that none has followed which ended the trouble."""
        first = None
        for at, event, what in self.entries:
            if ended(event, what):
                first = None
            elif bad(event, what) and first is None:
                first = at
        return 0.0 if first is None else now - first

    def is_well(self, now: float) -> bool:
        stuck = any(
            now - (max(since, self.moved) if stage == WAITING else since) > PATIENCE_S
            for stage, since in self.images.values()
        )
        idle = self._since(
            now,
            lambda event, what: event == "looked" and bool(what[0]) and what[1],
            lambda event, what: event == "begin" or (event == "looked" and (not what[0] or not what[1])),
        )
        silent = self._since(
            now,
            lambda event, what: event == "looked" and what[0] is None,
            lambda event, what: event == "looked" and what[0] is not None,
        )
        return not stuck and idle <= PATIENCE_S and silent <= SILENCE_S


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.none()),
        st.tuples(st.just("enter"), st.tuples(st.integers(0, 3), st.sampled_from((WAITING, "fetch", "encode")))),
        st.tuples(st.just("end"), st.integers(0, 3)),
        st.tuples(st.just("looked"), st.sampled_from((None, 0, 1, 7))),
        st.tuples(st.just("pass"), st.sampled_from((1.0, SILENCE_S, SILENCE_S + 1, PATIENCE_S, PATIENCE_S + 1))),
    ),
    max_size=30,
)


@given(st.integers(0, 3), STEPS)
def test_the_verdict_is_that_of_the_whole_history(threads, steps):
    now = 0.0
    progress, diary, images = Progress(threads, PATIENCE_S, lambda: now), Diary(threads), {}
    for number, (event, what) in enumerate(steps):
        chosen = None
        if images and event in {"enter", "end"}:
            chosen = list(images)[(what if event == "end" else what[0]) % len(images)]
        if event == "pass":
            now += what
        elif event == "looked":
            diary.note(now, event, what)
            progress.looked(what)
        elif event == "begin":
            diary.note(now, event)
            images[number] = progress.begin()
            diary.images[number], diary.moved = (WAITING, now), now
        elif chosen is not None and event == "enter":
            progress.enter(images[chosen], what[1])
            diary.images[chosen], diary.moved = (what[1], now), now
        elif chosen is not None:
            progress.end(images.pop(chosen))
            del diary.images[chosen]
            diary.moved = now
        assert (progress.trouble() is None) == diary.is_well(now), progress.trouble()

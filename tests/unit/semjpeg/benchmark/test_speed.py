"""Time and memory beside mozjpeg's."""

from __future__ import annotations

from semjpeg.benchmark import speed
from semjpeg.benchmark.pictures import find
from semjpeg.benchmark.runs import processes


def test_time_and_throughput_are_measured(folder):
    seconds, mozjpeg_seconds, throughput = speed._time(find(folder, None), 0.02)
    assert min(seconds, mozjpeg_seconds, throughput) > 0


def test_memory_grows_with_the_picture(folder):
    grown = []
    for megapixels in (0.1, 4):
        with processes(1) as pool:  # a new one: this one may hold freed memory that it would take first
            grown.append(pool.submit(speed._memory, find(folder, 2), megapixels).result())
    small, large = grown
    assert large is None or 4 < large - small < 400

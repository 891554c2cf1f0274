from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from config.jobs import Job
from config.objects import ObjectVersion
from config.recipes import Recipe, Route
from config.sampling import position
from config.settings import LimitSettings
from semjpeg.estimate import Counted, Tried, attempt, can_compress, count, estimate, lines
from storage.local import LocalStore

ROUTE = Route(source="s3://in", output="s3://out")


def jobs(sizes: list[int]) -> list[Job]:
    sources = (ObjectVersion(f"{number}.jpg", "e", size) for number, size in enumerate(sizes))
    return [Job.of(ROUTE, Recipe(), source, run="x") for source in sources]


@given(st.lists(st.integers(0, 10**6), max_size=30), st.integers(1, 10))
def test_all_are_counted_and_those_nearest_to_nought_are_the_sample(sizes, sample):
    wanted = jobs(sizes)
    counted = count(iter(wanted), sample)
    assert (counted.images, counted.bytes_in) == (len(sizes), sum(sizes))
    nearest = sorted(wanted, key=lambda job: position(job.bucket, job.key))[:sample]
    assert list(counted.sample) == nearest


def test_a_sample_of_all_has_the_truth_in_its_middle():
    tried = [Tried(1000 * n, 250 * n, 0.5) for n in range(1, 21)]
    figures = estimate(Counted(20, 210_000, ()), tried)
    assert (figures.bytes_out, figures.bytes_saved) == (52_500, 157_500)
    assert figures.bytes_out_low == figures.bytes_out_high == 52_500  # each of them shrinks alike
    assert figures.core_s == pytest.approx(10)
    assert 0 < figures.machine_s <= figures.core_s
    assert (figures.tried, figures.failed) == (20, 0)


def test_ten_times_the_images_take_and_save_ten_times_as_much_and_failures_save_nothing():
    tried = [Tried(1000, 400, 1.0), Tried(1000, 200, 2.0), Tried(1000, None, 0.1), Tried(1000, 300, 0.9)]
    figures = estimate(Counted(40, 40_000, ()), tried)
    assert (figures.bytes_out, figures.bytes_saved) == (9000, 21_000)
    assert figures.bytes_out_low < 9000 < figures.bytes_out_high
    assert figures.core_s == pytest.approx(40)
    assert figures.failed == 1


@given(st.lists(st.tuples(st.integers(0, 10**9), st.none() | st.integers(0, 10**9)), min_size=1, max_size=9))
def test_any_sample_gives_an_interval_around_its_estimate(tried):
    sample = [Tried(size, out, 0.0) for size, out in tried]
    figures = estimate(Counted(len(sample), sum(size for size, _ in tried), ()), sample)
    assert 0 <= figures.bytes_out_low <= figures.bytes_out_high
    assert lines(Counted(1, 1, ()), figures)


def test_a_sample_is_compressed_and_nothing_is_written(tmp_path):
    store = LocalStore(tmp_path)
    picture = io.BytesIO()
    Image.fromarray(data.chelsea()[:96, :96]).save(picture, "PNG")
    store.put("a.png", picture.getvalue(), content_type="")
    store.put("b.jpg", b"no picture", content_type="")
    wanted = [Job.of(ROUTE, Recipe(), source, run="x") for source in store.list()]
    warned: list[str] = []
    before = sorted(tmp_path.rglob("*"))
    [good, bad] = attempt(wanted, store, Recipe(), LimitSettings(), warned.append)
    assert good.bytes_in == len(picture.getvalue())
    assert 0 < good.bytes_out < good.bytes_in
    assert (bad.bytes_in, bad.bytes_out) == (10, None)
    assert [line.partition(":")[0] for line in warned] == ["b.jpg"]
    assert sorted(tmp_path.rglob("*")) == before
    assert can_compress()


def test_without_the_means_only_images_and_bytes_are_told():
    assert lines(Counted(1200, 3_400_000, ()), None)[:2] == ["images    1,200", "bytes     3.4 MB"]
    assert "worker" in lines(Counted(1200, 3_400_000, ()), None)[2]

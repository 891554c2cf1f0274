from __future__ import annotations

import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import machine

THERE = len(os.sched_getaffinity(0))


@given(quota=st.integers(1, 10**9), period=st.integers(1_000, 10**6))
def test_a_quota_pays_for_whole_cores_and_at_least_for_one(tmp_path_factory, quota, period):
    file = tmp_path_factory.mktemp("cgroup") / "cpu.max"
    file.write_text(f"{quota} {period}\n")
    assert machine.usable_cores(file) == max(1, min(THERE, math.ceil(quota / period)))


@pytest.mark.parametrize("text", ["max 100000\n", "", "nonsense", "1 2 3", "100000 0"])
def test_without_a_quota_all_cores_that_are_allowed_count(tmp_path, text):
    file = tmp_path / "cpu.max"
    assert machine.usable_cores(file) == THERE  # there is no such file
    file.write_text(text)
    assert machine.usable_cores(file) == THERE


@pytest.mark.parametrize(("cores", "batch", "flight"), [(1, 1, 3), (2, 2, 6), (8, 8, 24), (64, 16, 192)])
def test_a_process_gets_as_many_images_as_keep_it_busy(cores, batch, flight):
    assert machine.pictures_in_batch(cores) == batch
    assert machine.images_in_flight(cores) == flight


@pytest.mark.parametrize(
    ("cores", "memory_gib", "processes"),
    [(1, 64, 1), (2, 24, 2), (16, 128, 16), (16, 64, 8), (16, 30, 3), (64, 15, 1), (4, 4, 1)],
)
def test_each_core_has_a_process_if_there_is_memory_for_it(monkeypatch, cores, memory_gib, processes):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert machine.worker_processes(cores, memory_gib * 1024**3) == processes


def test_there_is_a_process_for_each_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2,5")
    assert machine.worker_processes(64, 1) == 3


@pytest.mark.parametrize(
    ("named", "gpus"),
    [("2,0", ("2", "0")), ("GPU-5a, GPU-7b", ("GPU-5a", "GPU-7b")), ("", ()), ("-1", ()), ("1,-1,0", ("1",))],
)
def test_the_gpus_are_those_that_cuda_may_see(monkeypatch, named, gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert machine.usable_gpus() == gpus


def test_the_gpus_are_those_that_the_driver_tells_of(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    assert machine.usable_gpus(tmp_path) == ("0", "1")
    assert machine.usable_gpus(tmp_path / "none") == ()

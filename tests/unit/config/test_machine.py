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
def test_a_machine_gets_as_many_images_as_keep_it_busy(monkeypatch, cores, batch, flight):
    monkeypatch.setattr(machine, "usable_cores", lambda: cores)
    assert machine.pictures_in_batch() == batch
    assert machine.images_in_flight() == flight

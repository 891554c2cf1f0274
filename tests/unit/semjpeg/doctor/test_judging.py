"""How figures are judged, from sound to broken."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from config.machine import images_in_flight
from semjpeg.doctor import broker, gpu, kernels, machine, queues
from semjpeg.doctor.clock import compared
from semjpeg.doctor.finding import Status
from semjpeg.status.state import SystemState, WorkerState

OK, WARNING, FAILED = Status
SOUND = {
    "redis_version": "7.2.4",
    "server_name": "valkey",
    "valkey_version": "9.1.2",
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
    "role": "master",
    "used_memory": 10,
    "maxmemory": 100,
}
WORKER = WorkerState("a", 3, {}, 0, 1.0)
IDLE = SystemState(datetime.now(UTC), (), 0, 0, 0, 0, (WORKER,))


@pytest.mark.parametrize(
    ("facts", "name", "status"),
    [
        ({}, "version", OK),
        ({"redis_version": "6.2.0"}, "version", OK),
        ({"redis_version": "6.0.16"}, "version", FAILED),
        ({"redis_version": "strange"}, "version", FAILED),
        ({"cluster_enabled": 1}, "cluster", FAILED),
        ({"role": "slave"}, "role", FAILED),
        ({"maxmemory_policy": "volatile-lru"}, "maxmemory-policy", FAILED),
        ({"aof_enabled": 0}, "appendonly", WARNING),
        ({"aof_last_write_status": "err"}, "appendonly", FAILED),
        ({"used_memory": 79}, "memory", OK),
        ({"used_memory": 80}, "memory", WARNING),
        ({"used_memory": 95}, "memory", FAILED),
        ({"used_memory": 10**12, "maxmemory": 0}, "memory", OK),
    ],
)
def test_servers(facts, name, status):
    found = {each.name: each for each in broker.server({**SOUND, **facts})}
    assert found[name].status is status
    assert bool(found[name].mend) == (status is not OK)
    assert all(each.status is OK for other, each in found.items() if other != name)


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("redis://127.0.0.9:6379", OK),
        ("redis://[::1]:6379", OK),
        ("redis://localhost", OK),
        ("rediss://broker.example", OK),
        ("redis://broker.example", WARNING),
        ("redis://10.0.0.1", WARNING),
    ],
)
def test_encryption(url, status):
    assert broker.encryption(url).status is status


@pytest.mark.parametrize(
    ("skew_s", "status"), [(0, OK), (59, OK), (-61, WARNING), (61, WARNING), (899, WARNING), (-901, FAILED)]
)
def test_clocks(skew_s, status):
    found = compared(1e9 + skew_s, 1e9)
    assert found.status is status
    assert f"{abs(skew_s)} s {'ahead' if skew_s > 0 else 'behind'}" in found.message


@pytest.mark.parametrize(
    ("changed", "name", "status"),
    [
        ({}, "workers", OK),
        ({"workers": ()}, "workers", OK),
        ({"workers": (), "waiting": 1}, "workers", WARNING),
        ({"delivered": 2}, "unacknowledged", OK),
        ({"delivered": 2, "workers": ()}, "unacknowledged", WARNING),
        ({"put_aside": 1}, "put aside", WARNING),
    ],
)
def test_queues(changed, name, status):
    found = {each.name: each for each in queues.judged(replace(IDLE, **changed), "p:")}
    assert found[name].status is status
    assert all(each.status is OK for other, each in found.items() if other != name)


@pytest.mark.parametrize(
    ("there", "seen", "chosen", "status", "word"),
    [
        ([], [], None, OK, "CPU"),
        (["H200"], ["GPU:0"], None, OK, "GPU:0"),
        (["H200"], [], None, WARNING, ".[gpu]"),
        (["H200"], [], "0", WARNING, ".[gpu]"),
        (["H200"], [], "-1", WARNING, "Unset CUDA_VISIBLE_DEVICES"),
        (["H200"], [], "", WARNING, "Unset CUDA_VISIBLE_DEVICES"),
        (["H200", "H200"], ["GPU:0", "GPU:1"], None, WARNING, "one worker for each"),
    ],
)
def test_gpus(there, seen, chosen, status, word):
    found = gpu.judged(there, seen, chosen)
    assert found.status is status
    assert word in f"{found.message} {found.mend}"


def test_gpus_are_found_by_the_driver(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(gpu, "_DEVICES", tmp_path)
    assert gpu.driver_gpus() == []
    for name in ("nvidia0", "nvidiactl"):
        (tmp_path / name).touch()
    assert gpu.driver_gpus() == [str(tmp_path / "nvidia0")]
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H200, 570.1, 143771 MiB'\n")
    program.chmod(0o755)
    assert gpu.driver_gpus() == ["NVIDIA H200, 570.1, 143771 MiB"]
    program.write_text("#!/bin/sh\nexit 9\n")
    assert gpu.driver_gpus() == [str(tmp_path / "nvidia0")]


def dispatcher(folder, misses: int) -> SimpleNamespace:
    return SimpleNamespace(stats=SimpleNamespace(cache_path=str(folder), cache_misses={"a": misses}))


def test_machine_code_is_kept_or_not(tmp_path):
    warm = kernels.kept([dispatcher(tmp_path, 0)], 0.2)
    assert (warm.status, "1 kernels loaded" in warm.message) == (OK, True)
    lost = kernels.kept([dispatcher(tmp_path, 1)], 9)
    assert lost.status is WARNING
    assert "NUMBA_CACHE_DIR" in lost.mend
    (tmp_path / "a.nbi").touch()
    assert kernels.kept([dispatcher(tmp_path, 1)], 9).status is OK


def test_the_kernels_of_the_codec_are_found():
    import codec

    found = kernels.kernels(codec)
    assert len({each.py_func.__name__ for each in found}) > 5
    assert all(each.stats.cache_path for each in found)


@pytest.mark.parametrize(
    ("budget", "there", "status"), [(5, 10, OK), (7, 10, OK), (8, 10, WARNING), (10, 10, FAILED), (11, 10, FAILED)]
)
def test_memory(budget, there, status):
    found = machine.memory(budget << 30, there << 30)
    assert found.status is status
    assert status is OK or f"SEMJPEG_LIMITS__MEMORY_BYTES={5 << 30}" in found.mend


@pytest.mark.parametrize(("limit", "status"), [(-1, OK), (152, OK), (151, WARNING)])
def test_file_descriptors(limit, status):
    found = machine.files(limit, 3)
    assert found.status is status
    assert status is OK or "ulimit -n 152" in found.mend


@pytest.mark.parametrize(("threads", "usable", "status"), [(7, 2, OK), (16, 2, OK), (17, 2, WARNING)])
def test_threads(threads, usable, status):
    found = machine.cores(threads, usable)
    assert found.status is status
    assert status is OK or f"SEMJPEG_WORKER__THREADS={images_in_flight(usable)}" in found.mend

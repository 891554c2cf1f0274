"""Nasty files through a real worker: it has to end each as a result or a named failure, and to live on."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import redis

from config.places import ResultKeys
from semjpeg.demo.processes import Processes
from semjpeg.demo.servers import start_s3, start_valkey
from semjpeg.demo.system import clean_environment

_SOURCE, _OUTPUT = "nasty-in", "nasty-out"
_DEADLINE_S = 60
_MAX_PIXELS = 40_000_000
"""A picture of so many needs no more than the budget."""

_BESIDES_MB = 300
"""So much more than before the first file, and than the budget, a worker may have."""

_LEAST_REST_S = 1.0
_STALLED_S = 180.0
_REGION = "us-east-1"
_MB = 1e6
_RETRYABLE = {"storage-unavailable", "broker-unavailable", "job-in-flight", "retryable", "error", "permanent"}
"""Codes that say nothing about the file."""


@dataclass
class Outcome:
    """What a worker made of files.

    Attributes:
        codes: Files by `result` or code of failure.
        findings: What must not be, a line each.
        longest_s: Seconds of the slowest result.
        all_s: Seconds from the first to the last.
        idle_mb: Peak memory before the first file.
        peak_mb: Peak memory in the end.
    """

    codes: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    longest_s: float = 0.0
    all_s: float = 0.0
    idle_mb: float = 0.0
    peak_mb: float = 0.0


def put_through(paths: list[Path], folder: Path, memory_mb: int) -> Outcome:
    """Upload files, queue them, wait until the worker has ended all, and judge."""
    environment = clean_environment(dict(os.environ)) | {"PYTHONFAULTHANDLER": "1"}
    os.environ.update(environment)
    outcome = Outcome()
    with Processes(folder, environment) as processes:
        endpoint = start_s3(processes, folder)
        broker_url = start_valkey(processes, folder)
        processes.environment |= _settings(folder, endpoint, broker_url, memory_mb)
        s3 = boto3.client("s3", endpoint_url=endpoint, region_name=_REGION)
        for bucket in (_SOURCE, _OUTPUT):
            s3.create_bucket(Bucket=bucket)
        for path in paths:
            s3.put_object(Bucket=_SOURCE, Key=path.name, Body=path.read_bytes())
        worker = processes.start("worker", sys.executable, "-m", "semjpeg", "worker", "-p", "1")
        _await(lambda: '"ready"' in (folder / "worker.log").read_text(), processes)
        outcome.idle_mb = _peak_mb(worker.pid)
        began = time.monotonic()
        semjpeg = (sys.executable, "-m", "semjpeg", "enqueue", f"s3://{_SOURCE}", f"s3://{_OUTPUT}", "--run", "nasty")
        enqueue = processes.start("enqueue", *semjpeg)
        if enqueue.wait():
            raise SystemExit(f"enqueue failed, see {folder}/enqueue.log")
        processes.forget(enqueue)
        _drain(redis.Redis.from_url(broker_url), len(paths), processes)
        outcome.all_s = time.monotonic() - began
        outcome.peak_mb = _peak_mb(worker.pid)
        for path in paths:
            _judge(s3, path.name, outcome)
    most_mb = outcome.idle_mb + memory_mb + _BESIDES_MB
    if outcome.peak_mb > most_mb:
        outcome.findings.append(f"the worker's memory reached {outcome.peak_mb:.0f} MB, more than {most_mb:.0f}")
    return outcome


def _settings(folder: Path, endpoint: str, broker_url: str, memory_mb: int) -> dict[str, str]:
    empty = folder / "semjpeg.toml"
    empty.touch()
    return {
        "SEMJPEG_CONFIG": str(empty),
        "SEMJPEG_BROKER__URL": broker_url,
        "SEMJPEG_S3__ENDPOINT_URL": endpoint,
        "SEMJPEG_S3__REGION": _REGION,
        "SEMJPEG_S3__ADDRESSING_STYLE": "path",
        "SEMJPEG_LIMITS__DEADLINE_S": str(_DEADLINE_S),
        "SEMJPEG_LIMITS__MEMORY_BYTES": str(round(memory_mb * _MB)),
        "SEMJPEG_LIMITS__MAX_PIXELS": str(_MAX_PIXELS),
    }


def _drain(broker: redis.Redis, files: int, processes: Processes) -> None:
    """Wait for the last file. A worker that dies, or ends no file for long, ends the waiting with its log."""
    ended, changed = 0, time.monotonic()
    while ended < files:
        time.sleep(_LEAST_REST_S)
        processes.check()
        counts = broker.hgetall("semjpeg:run:nasty")
        now = sum(int(counts.get(name, 0)) for name in (b"done", b"failed"))
        if now != ended:
            ended, changed = now, time.monotonic()
        elif time.monotonic() - changed > _STALLED_S:
            return


def _judge(s3: Any, name: str, outcome: Outcome) -> None:
    keys = ResultKeys.of(name, "")
    if record := _record(s3, keys.metrics):
        outcome.codes["result"] += 1
        outcome.longest_s = max(outcome.longest_s, record["seconds"]["total"])
        if record["seconds"]["total"] > _DEADLINE_S:
            outcome.findings.append(f"{name}: took {record['seconds']['total']:.1f} s")
    elif failure := _record(s3, keys.failure):
        outcome.codes[failure["code"]] += 1
        if failure["code"] in _RETRYABLE | {"deadline-exceeded", "verification", "encoding"}:
            outcome.findings.append(f"{name}: {failure['code']}: {failure['reason']}")
    else:
        outcome.findings.append(f"{name}: neither result nor failure")


def _record(s3: Any, key: str) -> dict[str, Any] | None:
    try:
        return json.loads(s3.get_object(Bucket=_OUTPUT, Key=key)["Body"].read())
    except s3.exceptions.NoSuchKey:
        return None


def _peak_mb(pid: int) -> float:
    """Return the most memory that a process has had so far (VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / _MB for line in lines if line.startswith("VmHWM:"))


def _await(ready: Any, processes: Processes) -> None:
    while not ready():
        processes.check()
        time.sleep(_LEAST_REST_S)

"""`semjpeg worker`."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from typing import Any, Final

import click
import structlog
from celery.signals import setup_logging, worker_ready

from config.errors import SemjpegError
from config.logs import configure_logging
from config.queues import QUEUES
from config.settings import Settings, WorkerSettings
from config.telemetry import served
from semjpeg.doctor.context import installed
from worker.supervisor import Supervisor, shares_of, wait_for_supervisor

_log = structlog.get_logger("semjpeg.worker")

STARTED_WITH: Final = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""Libraries read these when a process begins, so it begins anew with them. Pictures in huge pages spare the system
most of its work for fresh memory: decoding 21 megapixels and bringing them to NumPy takes 6 instead of 12 ms for each.
And threads of our own keep the cores busy, so that libraries should start none."""


@click.command(name="worker")
@click.option(
    "-p",
    "--processes",
    type=click.IntRange(min=1),
    help="Processes that share the machine.  [default: by GPUs and cores]",
)
@click.option(
    "-t", "--threads", type=click.IntRange(min=1), help="Images in flight in each process.  [default: by the cores]"
)
@click.option(
    "-q",
    "--queues",
    metavar="QUEUE[,QUEUE]",
    help="Where jobs are taken from: live (events), bulk (backfills), or both; the first is emptied first."
    "  [default: live,bulk]",
)
@click.option("--supervised", is_flag=True, hidden=True, help="End when standard input does.")
def command(processes: int | None, threads: int | None, queues: str | None, *, supervised: bool) -> None:
    """Do the jobs of the queues until SIGTERM, which lets the running ones finish; those that are not finished after
    worker.drain_s, or at a second SIGTERM, go back to their queues.

    Start one on each machine: there it keeps a process for each GPU or, where there is none, for each core that has
    8 GiB of memory.
    """
    _begin_anew()
    configure_logging()
    settings = _settings(processes=processes, threads=threads, queues=queues)
    if settings.worker.processes > 1:
        _supervise(settings, [*_option("--threads", threads), *_option("--queues", queues)])
        return
    setup_logging.connect(_keep_our_logging)

    from worker.app import make_worker
    from worker.node import Node

    node = Node.start(settings)

    def watch_signals(sender: Any, **_: object) -> None:
        node.drain.watch(sender)

    def end_with_supervisor() -> None:
        wait_for_supervisor()
        node.drain.stop()

    worker_ready.connect(watch_signals)
    if supervised:
        threading.Thread(target=end_with_supervisor, name="supervised", daemon=True).start()
    try:
        with served(node.telemetry, settings.prometheus):
            _log.info("ready", **_numbers(settings), model=node.model_hash[:12])
            worker = make_worker(node).Worker(
                hostname=f"semjpeg-{os.getpid()}@{socket.gethostname()}",  # two on one machine are two
                pool="threads",
                concurrency=settings.worker.threads,
                queues=",".join(settings.worker.queues),
                loglevel="WARNING",
                without_mingle=True,
                without_gossip=True,
                quiet=True,
            )
            worker.start()
    finally:
        node.close()
        if node.drain.gave_back:
            # the interpreter would wait for the threads that compute what is others' by now
            logging.shutdown()
            os._exit(os.EX_OK)
    if worker.exitcode:
        raise SemjpegError("the worker has ended by an error; the log says which")


def _begin_anew() -> None:
    """Replace this process by one that was started with what its libraries should find; it keeps its number."""
    if missing := {name: value for name, value in STARTED_WITH.items() if name not in os.environ}:
        os.execve(sys.executable, sys.orig_argv, os.environ | missing)  # noqa: S606 - no shell is wanted


def _option(name: str, value: object) -> list[str]:
    return [] if value is None else [name, str(value)]


def _supervise(settings: Settings, options: list[str]) -> None:
    """Keep several processes, with these options, until they are told to stop."""
    if not installed("tensorflow"):
        raise ModuleNotFoundError(name="tensorflow")  # as each of them would
    command = [sys.executable, "-m", "semjpeg", "worker", "--supervised", *options]
    shares = shares_of(settings)
    _log.info("starting", processes=len(shares), cores=settings.worker.cores, memory_mb=_mb(settings.memory_of_process))
    sys.exit(Supervisor(command, [os.environ | share for share in shares]).run())


def _settings(*, processes: int | None, threads: int | None, queues: str | None) -> Settings:
    """Read the settings; options take the place of theirs."""
    settings = Settings.load()
    changed: dict[str, object] = {}
    if processes:
        changed["processes"] = processes
    if threads:
        changed["threads"] = threads
    if queues:
        names = tuple(name.strip() for name in queues.split(","))
        if not set(names) <= set(QUEUES) or len(set(names)) < len(names):
            raise click.UsageError(
                f"--queues takes {' or '.join(QUEUES)}, or both with a comma between, not {queues!r}"
            )
        changed["queues"] = names
    if not changed:
        return settings
    worker = WorkerSettings.model_validate({**settings.worker.model_dump(exclude_unset=True), **changed})
    return settings.model_copy(update={"worker": worker})


def _numbers(settings: Settings) -> dict[str, object]:
    """What the process has found out about its machine, and makes of it."""
    from models import gpus

    return {
        "cores": settings.worker.cores,
        "gpus": gpus(),
        "threads": settings.worker.threads,
        "batch_size": settings.worker.batch_size,
        "memory_mb": _mb(settings.limits.memory_bytes),
        "queues": list(settings.worker.queues),
    }


def _mb(count: int) -> int:
    return count // 1_000_000


def _keep_our_logging(**_: object) -> None:
    """Stand where Celery would set up logging of its own: a receiver of its signal keeps it from doing so."""

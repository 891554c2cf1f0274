"""`semjpeg worker`."""

from __future__ import annotations

import os
import socket

import click
import structlog
from celery.signals import setup_logging

from config.errors import SemjpegError
from config.logs import configure_logging
from config.settings import Settings

_log = structlog.get_logger("semjpeg.worker")


@click.command(name="worker")
@click.option(
    "-t", "--threads", type=click.IntRange(min=1), help="Images in flight; default: one more than there are cores."
)
def command(threads: int | None) -> None:
    """Do the jobs of the queue until SIGTERM, which lets the running ones finish.

    Start one for each GPU, with CUDA_VISIBLE_DEVICES naming it, or one for each machine without.
    """
    configure_logging()
    setup_logging.connect(_keep_our_logging)
    settings = Settings.load()
    if threads:
        changed = settings.worker.model_copy(update={"threads": threads})
        settings = settings.model_copy(update={"worker": changed})

    from worker.app import make_worker
    from worker.node import Node

    node = Node.start(settings)
    _log.info("ready", threads=settings.worker.threads, cores=os.cpu_count(), model=node.maps.model.sha256[:12])
    try:
        worker = make_worker(node).Worker(
            hostname=f"semjpeg-{os.getpid()}@{socket.gethostname()}",  # two on one machine are two
            pool="threads",
            concurrency=settings.worker.threads,
            loglevel="WARNING",
            without_mingle=True,
            without_gossip=True,
            quiet=True,
        )
        worker.start()
    finally:
        node.close()
    if worker.exitcode:
        raise SemjpegError("the worker has ended by an error; the log says which")


def _keep_our_logging(**_: object) -> None:
    """Stand where Celery would set up logging of its own: a receiver of its signal keeps it from doing so."""

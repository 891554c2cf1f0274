"""Doing the same to many files: side by side, each result and each failure named as it comes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import click

from config.errors import SemjpegError

Work = Callable[[Path], dict[str, Any]]
"""Returns what is to be told of one file, JSON-ready, or raises a `SemjpegError`."""


def for_each_file(paths: list[Path], work: Work, line: Callable[[dict[str, Any]], str], *, as_json: bool) -> int:
    """Call `work` for every file on all cores and print a line for each as it ends.

    Args:
        paths: The files.
        work: What to do to one.
        line: Makes the text for one file out of what `work` returned.
        as_json: Print JSON objects, one a line, instead of text.

    Returns:
        How many files failed; each was named with its reason on standard error.
    """
    failed = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        futures: dict[Future[dict[str, Any]], Path] = {pool.submit(work, path): path for path in paths}
        try:
            for future in as_completed(futures):
                path = futures[future]
                try:
                    told = {"file": str(path), "status": "done", **future.result()}
                except SemjpegError as error:
                    failed += 1
                    told = {"file": str(path), "status": "failed", "code": error.code, "reason": str(error)}
                    click.echo(f"{path}: {error}", err=True)
                if as_json:
                    click.echo(json.dumps(told))
                elif told["status"] == "done":
                    click.echo(line(told))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return failed

"""The demo from start to end."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from config.errors import ConfigurationError, SemjpegError
from config.places import ResultKeys
from semjpeg.demo.page import write_report
from semjpeg.demo.photos import find_photos
from semjpeg.demo.processes import Processes
from semjpeg.demo.results import collect
from semjpeg.demo.show import megabytes, print_table, progress_bar
from semjpeg.demo.system import RUN, clean_environment, start_system

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from semjpeg.demo.results import ImageResult
    from semjpeg.demo.system import System

_STALLED_S = 300.0
_LOOK_S = 0.1
_MARK = ".semjpeg-demo"
"""File that tells an earlier demo's folder, which may be replaced, from anything else, which may not."""


def run_demo(photo_folder: Path | None, out: Path, *, quality: int, console: Console) -> list[ImageResult]:
    """Run the whole system over photographs and leave what it made in `out`.

    Args:
        photo_folder: The photographs; None means those that scikit-image carries.
        out: Made anew; a folder there must be an earlier demo's.
        quality: Of the recipe.
        console: Where progress and table are printed.

    Returns:
        What became of each photograph.

    Raises:
        ConfigurationError: The photographs or the output folder will not do.
        SemjpegError: A server or process of the demo failed.
    """
    photos, left_out = find_photos(photo_folder)
    for path in left_out:
        console.print(f"left out, no image by its suffix: {path}", markup=False, style="dim")
    out = out.resolve()
    if out.exists() and not (out / _MARK).exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ConfigurationError(
            f"{out} is there and no demo made it; name another folder with --out (make demo OUT=…)"
        )
    os.environ.update(environment := clean_environment(dict(os.environ)))
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        _terminable(),
        tempfile.TemporaryDirectory(prefix="semjpeg-demo-") as folder,
        _staging(out) as staging,
        Processes(Path(folder), environment) as processes,
    ):
        console.print("starting Valkey, an S3 and SQS server, a worker and an event poller …")
        system = start_system(processes, Path(folder), quality=quality)
        _upload_and_wait(system, processes, photos, console)
        results = collect(system, photos, staging)
        write_report(system, staging)
        (staging / _MARK).touch()
        _replace(staging, out)
    print_table(console, results)
    return results


def _upload_and_wait(system: System, processes: Processes, photos: dict[str, Path], console: Console) -> None:
    """Put the photographs into the bucket, whose notifications do the rest, and watch the counters."""
    with progress_bar(console) as bar:
        uploading = bar.add_task("uploading ", total=len(photos), mb="", rate="")
        for key, path in photos.items():
            system.source.put(key, path.read_bytes(), content_type="application/octet-stream")
            bar.advance(uploading)
        bar.remove_task(uploading)
        working = bar.add_task("compressing", total=len(photos), mb="", rate="")
        began: float | None = None
        seen, changed = 0, time.monotonic()
        while seen < len(photos):
            time.sleep(_LOOK_S)
            processes.check()
            counts = system.counters.read(RUN)
            ended = counts.get("done", 0) + counts.get("failed", 0)
            now = time.monotonic()
            if ended != seen:
                began = began or now
                seen, changed = ended, now
                rate = f"{seen / (now - began):.1f} images/s" if now > began else ""
                moved = megabytes(counts.get("bytes_in", 0), counts.get("bytes_out", 0))
                bar.update(working, completed=seen, mb=moved, rate=rate)
                if bar.disable:
                    console.print(f"{seen} of {len(photos)} images, {moved}")
            elif now - changed > _STALLED_S:
                waiting = ", ".join(key for key in photos if not _has_ended(system, key))
                raise SemjpegError(f"no image was finished for {_STALLED_S:g} s; these are not: {waiting}")


def _has_ended(system: System, key: str) -> bool:
    keys = ResultKeys.of(key, "")
    return system.output.head(keys.jpeg) is not None or system.output.head(keys.failure) is not None


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """Make a folder beside `out`, which is gone afterwards unless it was renamed."""
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _replace(staging: Path, out: Path) -> None:
    """Put the finished folder in the place of an earlier one, whole or not at all."""
    staging.chmod(0o755)
    with _staging(out) as old:
        try:
            if out.exists():
                out.rename(old / out.name)
            staging.rename(out)
        except BaseException:
            if not out.exists() and (old / out.name).exists():
                (old / out.name).rename(out)
            raise


@contextmanager
def _terminable() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the demo the way Ctrl-C does: through every `with`."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

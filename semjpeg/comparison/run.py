"""Measuring many pictures in many processes, and going on where an earlier run stopped."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, as_completed
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from config.errors import ConfigurationError, SemjpegError, TooLargeError
from config.settings import Settings
from models.weights import SHIPPED, verify
from semjpeg.benchmark.pictures import read_picture
from semjpeg.benchmark.runs import Failure, processes
from semjpeg.comparison import cache
from semjpeg.comparison.measure import Job, Plan, measure_picture
from semjpeg.demo.photos import find_photos
from semjpeg.files import read_file
from worker.probe import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from semjpeg.comparison.entry import Result


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture.

    filename: its path in the folder that was searched, with slashes.
    category: the folder that it lies in, the same way; empty for that folder itself.
    """

    path: Path
    filename: str
    category: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where results go.

    out: the folder; what is kept from run to run lies in `.cache` there, and files in `files/ENCODER`.
    keep_files: whether each encoder's files are kept.
    """

    out: Path
    keep_files: bool

    def result(self, key: str) -> Path:
        """Where a picture's result is kept."""
        return self.out / ".cache" / f"{key}.json"

    def files(self, picture: Picture, encoders: Sequence[str]) -> dict[str, Path]:
        """Where a picture's files are kept, by encoder."""
        if not self.keep_files:
            return {}
        return {encoder: self.out / "files" / encoder / f"{picture.filename}.jpg" for encoder in encoders}


@dataclass(frozen=True, slots=True)
class Found:
    """What a run found out.

    results: in the order of the pictures.
    failures: the pictures that could not be measured.
    resumed: how many results were there already.
    """

    results: list[Result]
    failures: list[Failure]
    resumed: int


def find(folder: Path, out: Path, limit: int | None) -> list[Picture]:
    """List the pictures of a folder and its subfolders by name, or `limit` of them at even distances.

    Args:
        folder: Where to look.
        out: What lies in here is a result and no picture.
        limit: None for all.

    Raises:
        ConfigurationError: There is no such folder, or no picture in it.
    """
    pictures = [
        Picture(path, filename, filename.rpartition("/")[0])
        for filename, path in find_photos(folder.resolve())[0].items()
        if not path.is_relative_to(out.resolve()) or folder.resolve().is_relative_to(out.resolve())
    ]
    if not pictures:
        raise ConfigurationError(f"{folder} holds no image but results")
    pictures.sort(key=lambda picture: (picture.category, picture.filename))
    if limit is None or limit >= len(pictures):
        return pictures
    return [pictures[number * len(pictures) // limit] for number in range(limit)]


def measure_all(
    pictures: Sequence[Picture],
    plan: Plan,
    place: Place,
    max_megapixels: float,
    jobs: int,
    tell: Callable[[Path, str], None],
) -> Found:
    """Measure pictures side by side; results that an earlier run left are taken over.

    The network's maps are made in this process, so that TensorFlow is loaded once, if at all.

    Args:
        pictures: What to measure.
        plan: What to make of each.
        place: Where results are kept.
        max_megapixels: Larger pictures are refused.
        jobs: How many processes.
        tell: Called for each picture that is done, with an empty text or the reason why it failed.

    Raises:
        ModelError: The network's weights are missing or damaged.
    """
    found: dict[Picture, Result] = {}
    failures: list[Failure] = []

    def done(picture: Picture, result: Result | None, reason: str = "") -> None:
        if result is None:
            failures.append(Failure(picture.path, reason))
        else:
            found[picture] = result
        tell(picture.path, reason)

    weights_hash = verify(Settings.load().model.path or SHIPPED)
    waiting: list[tuple[Picture, Path]] = []
    for picture in pictures:
        try:
            kept = place.result(cache.key(_content(picture.path, max_megapixels), plan, weights_hash))
        except SemjpegError as error:
            done(picture, None, str(error))
            continue
        result = cache.find(kept)
        if result is not None and _are_there(place.files(picture, plan.encoders), result):
            done(picture, result)
        else:
            waiting.append((picture, kept))
    resumed = len(found)
    for picture, outcome in _measure(waiting, plan, place, jobs):
        if isinstance(outcome, str):
            done(picture, None, outcome)
        else:
            done(picture, outcome)
    named = [
        replace(found[picture], entry=found[picture].entry.named(picture.filename, picture.category))
        for picture in pictures
        if picture in found
    ]
    return Found(named, failures, resumed)


def _measure(
    waiting: Sequence[tuple[Picture, Path]], plan: Plan, place: Place, jobs: int
) -> Iterator[tuple[Picture, Result | str]]:
    """Measure pictures whose results are to be kept in the paths beside them; give each or the reason it failed."""
    if not waiting:
        return
    with processes(min(jobs, len(waiting))) as pool:
        futures: dict[Future[Result], Picture] = {}
        for picture, kept in waiting:
            try:
                files = place.files(picture, plan.encoders)
                job = Job(picture.path, _importance(picture.path), plan, kept, files)
                futures[pool.submit(measure_picture, job)] = picture
            except (SemjpegError, BrokenExecutor) as error:
                yield picture, str(error)
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except (SemjpegError, BrokenExecutor) as error:
                yield futures[future], str(error)


def _are_there(files: Mapping[str, Path], result: Result) -> bool:
    """Tell whether the files of a result are kept; another one's have other sizes."""
    sizes = {encoder: file.size_bytes for encoder, file in result.entry.files.items()}
    return all(path.is_file() and path.stat().st_size == sizes[encoder] for encoder, path in files.items())


def _importance(path: Path) -> NDArray[np.float32]:
    from semjpeg.api import network

    return network().importance(read_picture(path))


def _content(path: Path, max_megapixels: float) -> bytes:
    """Read the file of a picture, whose header tells that it is not too large."""
    limits = Settings.load().limits
    content = read_file(path, limits.max_bytes)
    header = probe(content, limits)
    if header.width * header.height > max_megapixels * 1e6:
        raise TooLargeError(
            f"has {header.width}x{header.height} pixels, more than --max-megapixels {max_megapixels:g} allows"
        )
    return content

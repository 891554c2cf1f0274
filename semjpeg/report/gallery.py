"""The pictures of the page: fetched, decoded and made small, one at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from config.errors import ModelError, ObjectChangedError, ObjectMissingError, SemjpegError
from config.jobs import JOB_FIELD
from config.places import Place, ResultKeys
from semjpeg.report.views import Box, choose_detail, data_url, detail_view, heat_view, whole_view
from worker.decode import decode
from worker.probe import probe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from config.settings import LimitSettings
    from models import ImportanceModel
    from semjpeg.report.buckets import Buckets
    from semjpeg.report.rows import Row
    from worker.decode import Picture

_FRAME_BYTES, _TIMES_NAMED = 5000, 8
"""What the page says around a picture, and how often it gives its key, at most."""


@dataclass(frozen=True, slots=True)
class View:
    """One picture at one scale.

    original, result, heat: data URLs; `heat` is None without a map.
    width_px, height_px: of original and result; the heat is laid over all of them.
    """

    original: str
    result: str
    heat: str | None
    width_px: int
    height_px: int

    @property
    def weight_bytes(self) -> int:
        """How much of the page it takes."""
        return len(self.original) + len(self.result) + len(self.heat or "")


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A picture that the gallery shows; `no_map` says why its overlay is missing, where it is."""

    row: Row
    whole: View
    detail: View
    no_map: str | None

    @property
    def weight_bytes(self) -> int:
        """How much of the page it takes."""
        text = _FRAME_BYTES + _TIMES_NAMED * len(self.row.key.encode("utf-8", "surrogatepass"))
        return self.whole.weight_bytes + self.detail.weight_bytes + text


@dataclass(frozen=True, slots=True)
class Gallery:
    """What the page shows of the sample.

    left_out: key and reason of pictures that cannot be shown.
    no_room: how many more there are that would make the page too large.
    """

    exhibits: tuple[Exhibit, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    no_room: int = 0


def make_gallery(rows: Sequence[Row], stores: Buckets, limits: LimitSettings, room_bytes: int) -> Gallery:
    """Fetch and encode the pictures of the rows, until `room_bytes` of the page are taken."""
    exhibits: list[Exhibit] = []
    left_out: list[tuple[str, str]] = []
    for index, row in enumerate(rows):
        try:
            exhibit = exhibit_of(row, stores, limits)
        except (SemjpegError, UnicodeError) as error:  # the latter: a key with odd bytes, which no S3 bucket holds
            left_out.append((row.key, str(error)))
            continue
        if exhibit.weight_bytes > room_bytes:
            return Gallery(tuple(exhibits), tuple(left_out), len(rows) - index)
        room_bytes -= exhibit.weight_bytes
        exhibits.append(exhibit)
    return Gallery(tuple(exhibits), tuple(left_out))


def exhibit_of(row: Row, stores: Buckets, limits: LimitSettings) -> Exhibit:
    """Make the views of one picture. Original and result are not in memory at the same time.

    Raises:
        SemjpegError: Original or result are gone, changed, forbidden, too large or damaged.
    """
    result = _result(row, stores, limits)
    source = stores.open(row.bucket).get(row.key, max_bytes=limits.max_bytes, etag=row.etag)
    if len(source) != row.bytes_in:
        raise ObjectChangedError("the original was replaced after the run")
    original = decode(probe(source, limits))
    size = _size(original)
    importance, no_map = _importance(row, original, stores, limits)
    box = choose_detail(size, importance)
    (whole, shown), detail = whole_view(original), detail_view(original, box)
    del original
    copy = decode(probe(result, limits))
    if _size(copy) != size:
        raise ObjectChangedError("original and result differ in size: one was replaced after the run")
    (whole_copy, _), detail_copy = whole_view(copy), detail_view(copy, box)
    everything = Box(0, 0, *size)
    heats = [None if importance is None else heat_view(importance, size, part) for part in (everything, box)]
    return Exhibit(
        row,
        _view(whole, whole_copy, heats[0], shown),
        _view(detail, detail_copy, heats[1], (box.width, box.height)),
        no_map,
    )


def _view(original: bytes, result: bytes, heat: bytes | None, size: tuple[int, int]) -> View:
    laid = None if heat is None else data_url(heat, "png")
    return View(data_url(original, "webp"), data_url(result, "webp"), laid, *size)


def _size(picture: Picture) -> tuple[int, int]:
    """Return width and height."""
    return picture.pixels.shape[1], picture.pixels.shape[0]


def _result(row: Row, stores: Buckets, limits: LimitSettings) -> bytes:
    """Fetch the very result that the row describes; copies of results may have lost the name of their job."""
    if row.result is None:
        raise ObjectMissingError("its record does not say where the result is")
    output = stores.open(Place.parse(row.output).bucket)
    found = output.head(row.result)
    if found is None:
        raise ObjectMissingError(f"the result {row.result} does not exist")
    if found.metadata.get(JOB_FIELD, row.job) != row.job or found.size_bytes != row.bytes_out:
        raise ObjectChangedError(f"the result {row.result} was replaced after the run")
    return output.get(row.result, max_bytes=limits.max_bytes)


def _importance(
    row: Row, original: Picture, stores: Buckets, limits: LimitSettings
) -> tuple[NDArray[np.float32] | None, str | None]:
    """Return the map that the result was made by, the kept one or a new one; else None, and the reason."""
    if json.loads(row.recipe).get("save_map"):
        try:
            return _kept_map(row, stores, limits), None
        except SemjpegError:
            pass  # it may be made again
    try:
        model = _network(row.model_hash)
    except (SemjpegError, ImportError) as error:
        return None, f"No map was kept, and it cannot be made again: {error}."
    return model.importance(original.pixels), None


def _kept_map(row: Row, stores: Buckets, limits: LimitSettings) -> NDArray[np.float32]:
    place = Place.parse(row.output)
    key = ResultKeys.of((row.result or "").removeprefix(place.prefix).removesuffix(".jpg"), place.prefix).map
    grid = decode(probe(stores.open(place.bucket).get(key, max_bytes=limits.max_bytes), limits)).pixels
    return np.asarray(grid if grid.ndim == 2 else grid[..., 0], np.float32) / np.float32(255)  # noqa: PLR2004  grey


def _network(sha256: str | None) -> ImportanceModel:
    """Load the network of that hash, should it be the one of this machine.

    Raises:
        SemjpegError: It is another one, or cannot be loaded.
        ImportError: TensorFlow is not installed.
    """
    from config.settings import Settings
    from models.weights import SHIPPED, verify
    from semjpeg.api import network

    ours = verify(Settings.load().model.path or SHIPPED)
    if sha256 != ours:
        theirs = "another network" if sha256 is None else f"the network {sha256[:12]}"
        raise ModelError(f"it was made by {theirs}, and the one here is {ours[:12]}")
    return network()

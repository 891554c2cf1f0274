"""The contact sheet: pictures beside their masks and maps, the worst first."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from semjpeg.benchmark.pictures import read_mask, read_pixels
from semjpeg.evaluation.run import MAP, THUMBNAIL_PX, thumbnail
from semjpeg.overlay import overlay_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from semjpeg.evaluation.run import Scored

ROWS_OF_A_PAGE: Final = 40

_TITLES: Final = ("picture", "mask", "map", "map over picture")
_GAP_PX: Final = 12
_TEXT_PX: Final = 210
_HEADER_PX: Final = 76
_WIDTH_PX: Final = _TEXT_PX + len(_TITLES) * (THUMBNAIL_PX + _GAP_PX) + 2 * _GAP_PX

_PAGE: Final = (246, 246, 244)
_FRAME: Final = (176, 176, 172)
_INK: Final = (24, 24, 24)
_PALE_INK: Final = (104, 104, 100)
_TITLE_PX: Final = 22
_NAME_PX: Final = 18
_SMALL_PX: Final = 16
_LEADING_PX: Final = 6
_LEAST_ROW_PX: Final = 2 * (_NAME_PX + _LEADING_PX) + 3 * (_SMALL_PX + _LEADING_PX)
"""What the lines of text beside a picture take."""

Ranked = tuple[int, "Scored"]
"""A picture and its rank, 1 for the worst."""


def choose(scored: Sequence[Scored], rows: int) -> list[Ranked]:
    """Rank pictures from the worst AUC to the best and take `rows` of them, both ends and evenly between."""
    ranked = list(enumerate(sorted(scored, key=lambda each: each.scores[MAP].auc), 1))
    if rows >= len(ranked):
        return ranked
    last = len(ranked) - 1
    return [ranked[number * last // max(rows - 1, 1)] for number in range(rows)]


def draw_pages(chosen: Sequence[Ranked], pictures: int, title: str) -> Iterator[Image.Image]:
    """Draw pages of 40 rows at most.

    Args:
        chosen: What is to be seen, in this order.
        pictures: How many there were to choose from.
        title: What stands on top.

    Returns:
        RGB images 1082 pixels wide and at most 8556 high.

    Raises:
        SemjpegError: A picture or a mask cannot be read any more.
    """
    for first in range(0, len(chosen), ROWS_OF_A_PAGE):
        rows = [_row(ranked, pictures) for ranked in chosen[first : first + ROWS_OF_A_PAGE]]
        page = Image.new("RGB", (_WIDTH_PX, _HEADER_PX + sum(row.height for row in rows)), _PAGE)
        _head(page, title)
        top = _HEADER_PX
        for row in rows:
            page.paste(row, (0, top))
            top += row.height
        yield page


def _head(page: Image.Image, title: str) -> None:
    draw = ImageDraw.Draw(page)
    text = _fitting(title, _TITLE_PX, _WIDTH_PX - 2 * _GAP_PX)
    draw.text((_GAP_PX, _GAP_PX), text, _INK, ImageFont.load_default(_TITLE_PX))
    for column, name in enumerate(_TITLES):
        draw.text((_left(column), _HEADER_PX - 8), name, _PALE_INK, ImageFont.load_default(_SMALL_PX), anchor="ls")


def _row(ranked: Ranked, pictures: int) -> Image.Image:
    """Draw one picture's row."""
    rank, scored = ranked
    picture = thumbnail(Image.fromarray(read_pixels(scored.pair.picture)).convert("RGB"))
    mask = Image.fromarray(np.rint(255 * read_mask(scored.pair.mask)).astype(np.uint8)).resize(picture.size)
    map_ = Image.fromarray(scored.thumbnail).resize(picture.size)
    overlay = overlay_image(np.asarray(picture), np.asarray(map_, np.float32) / np.float32(255))
    row = Image.new("RGB", (_WIDTH_PX, max(picture.height, _LEAST_ROW_PX) + _GAP_PX), _PAGE)
    draw = ImageDraw.Draw(row)
    for column, image in enumerate((picture, mask, map_, overlay)):
        left = _left(column)
        row.paste(image, (left, 0))
        draw.rectangle((left, 0, left + image.width - 1, image.height - 1), outline=_FRAME)
    _tell(draw, scored, f"{rank} of {pictures}")
    return row


def _tell(draw: ImageDraw.ImageDraw, scored: Scored, rank: str) -> None:
    """Write what is known of a picture."""
    score = scored.scores[MAP]
    lines = (
        (scored.pair.picture.name, _NAME_PX, _INK),
        (f"AUC {score.auc:.4f}", _NAME_PX, _INK),
        (f"MAE {score.mae:.3f}", _SMALL_PX, _PALE_INK),
        (f"found {score.found} of {scored.objects} objects", _SMALL_PX, _PALE_INK),
        (f"rank {rank}", _SMALL_PX, _PALE_INK),
    )
    top = 0
    for text, size, ink in lines:
        draw.text((_GAP_PX, top), _fitting(text, size, _TEXT_PX - _GAP_PX), ink, ImageFont.load_default(size))
        top += size + _LEADING_PX


def _left(column: int) -> int:
    return _GAP_PX + _TEXT_PX + column * (THUMBNAIL_PX + _GAP_PX)


def _fitting(text: str, size: int, width: int) -> str:
    """Write a text with the letters that Pillow's own font has, and cut its middle where it is too wide."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    plain = plain.encode("ascii", "replace").decode("ascii")
    font = ImageFont.load_default(size)
    shown, kept = plain, len(plain)
    while font.getlength(shown) > width and kept > 1:
        kept -= 1
        shown = f"{plain[: (kept + 1) // 2]}…{plain[len(plain) - kept // 2 :]}"
    return shown

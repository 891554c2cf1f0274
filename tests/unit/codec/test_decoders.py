"""What other decoders make of the files: libjpeg of three families, mozjpeg, jpegli; and the levels they hold."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import jpeglib
import numpy as np
import pyjpegli
import pytest
from PIL import Image

import codec
from codec import progressive, reference, transform
from codec.tables import ZIGZAG

PROFILE = bytes(range(256)) * 300
TAGS = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"

PICTURES = {
    "colour": lambda picture: picture("astronaut")[:123, :157],
    "grey": lambda picture: picture("camera")[:33, :47],
    "text": lambda picture: picture("text"),
    "noise": lambda picture: picture("noise"),
    "one pixel": lambda picture: picture("cat")[:1, :1],
    "one grey pixel": lambda picture: picture("camera")[:1, :1],
    "column": lambda picture: picture("cat")[:17, :1],
    "row": lambda picture: picture("coffee")[:1, :33],
    "one over": lambda picture: picture("coffee")[:65, :49],
}
WAYS = {
    "trellis at 30": {"rate": codec.Quality(30)},
    "trellis at 75": {"rate": codec.Quality(75)},
    "trellis at 95": {"rate": codec.Quality(95)},
    "trellis at 100": {"rate": codec.Quality(100)},
    "trellis in libjpeg's bytes": {"rate": codec.MatchJpeg(50)},
    "trellis in 9000 bytes": {"rate": codec.TargetBytes(len(PROFILE) + 9_000)},
    "mosaic": {"method": "mosaic"},
}

# Pillow's libjpeg-turbo, libjpeg 6b and mozjpeg share the integer inverse DCT and the triangle filter for chroma: not
# one sample may differ. From version 7 on libjpeg enlarges chroma within the DCT: grey stays the same, colour differs
# at edges. Jpegli calculates in floats and shifts each coefficient towards the likeliest value within its step. Both
# may be farther from the picture than Pillow by no more than this factor and this many grey levels, root mean square.
EXACT = ("6b", "turbo140", "turbo210", "mozjpeg101", "mozjpeg403")
SCALING = ("7", "8d", "9f")
SHARE = 1.1
LEVELS = 1.0


@contextmanager
def _silence():
    """Fail if anything is written to the process's standard error, by C code as well."""
    with tempfile.TemporaryFile() as told:
        kept = os.dup(2)
        os.dup2(told.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        told.seek(0)
        assert told.read() == b""


def _pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["icc_profile"] == PROFILE
        assert image.info["exif"] == TAGS
        return np.asarray(image).astype(int)


def _libjpeg(version: str, path: str, shape: tuple[int, ...]) -> np.ndarray:
    with jpeglib.version(version):
        return jpeglib.read_spatial(path).spatial.astype(int).reshape(shape)


def _jpegli(data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    samples, width, height = pyjpegli.decode(data)
    assert (height, width) == shape[:2]
    rgb = np.frombuffer(samples, np.uint8).reshape(height, width, 3).astype(int)
    return rgb if len(shape) == 3 else rgb[..., 1]


def _apart(found: np.ndarray, pixels: np.ndarray) -> float:
    return float(np.sqrt(np.mean((found - pixels.astype(float)) ** 2)))


def _levels(path: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Tables `[64]`, and levels `[rows,columns,64]` of each component, in zigzag order, as libjpeg reads them."""
    file = jpeglib.read_dct(str(path))
    parts = [part for part in (file.Y, file.Cb, file.Cr) if part is not None]
    tables = [file.qt[file.quant_tbl_no[number]].ravel()[ZIGZAG] for number in range(min(len(parts), 2))]
    assert all(number == file.quant_tbl_no[1] for number in file.quant_tbl_no[1 : len(parts)])
    return tables, [part.reshape(*part.shape[:2], 64)[..., ZIGZAG] for part in parts]


@pytest.fixture(params=PICTURES)
def pixels(request, picture):
    return np.ascontiguousarray(PICTURES[request.param](picture))


@pytest.mark.parametrize("importance", [None, np.linspace(0, 1, 12).reshape(3, 4)], ids=["no map", "map"])
@pytest.mark.parametrize("way", WAYS)
def test_every_decoder_opens_the_file_without_a_warning_and_shows_the_same(tmp_path, pixels, way, importance):
    data = codec.encode(pixels, importance, icc=PROFILE, exif=TAGS, **WAYS[way]).data
    path = tmp_path / "picture.jpg"
    path.write_bytes(data)
    with _silence():
        expected = _pillow(data)
        assert expected.shape == pixels.shape
        for version in EXACT:
            assert np.array_equal(_libjpeg(version, str(path), expected.shape), expected), version
        scaled = {version: _libjpeg(version, str(path), expected.shape) for version in SCALING}
        jpegli = _jpegli(data, expected.shape)
    for version, found in scaled.items():
        assert _apart(found, pixels) <= SHARE * _apart(expected, pixels) + LEVELS, version
        if pixels.ndim == 2:
            assert np.array_equal(found, expected), version
    assert _apart(jpegli, pixels) <= SHARE * _apart(expected, pixels) + LEVELS


@pytest.mark.parametrize("rate", [codec.Quality(30), codec.Quality(75), codec.Quality(97), codec.MatchJpeg(60)])
def test_libjpeg_reads_back_the_levels_and_the_tables_that_were_chosen(tmp_path, pixels, rate, monkeypatch):
    written = {}
    write = progressive.Writer.write

    def record(writer, tables, levels):
        data = write(writer, tables, levels)
        written[data] = tables, levels
        return data

    monkeypatch.setattr(progressive.Writer, "write", record)
    encoded = codec.encode(pixels, np.linspace(0, 1, 12).reshape(3, 4), rate=rate)
    planes = transform.to_planes(pixels)
    if encoded.lagrangian == 0:
        (tmp_path / "libjpeg.jpg").write_bytes(reference.libjpeg(pixels, rate.quality))
        tables, chosen = _levels(tmp_path / "libjpeg.jpg")
    else:
        tables, laid_out = written[encoded.data]
        chosen = [part.reshape(plane.rows, plane.columns, 64) for part, plane in zip(laid_out, planes, strict=True)]
    path = tmp_path / "picture.jpg"
    path.write_bytes(encoded.data)
    with _silence():
        found_tables, found = _levels(path)
    assert len(found) == len(chosen) == (3 if pixels.ndim == 3 else 1)
    for number, (read, levels) in enumerate(zip(found, chosen, strict=True)):
        step = 8 if number == 0 else 16
        rows, columns = (-(-side // step) for side in pixels.shape[:2])
        assert np.array_equal(read[:rows, :columns], levels[:rows, :columns])
        assert np.array_equal(found_tables[min(number, 1)], tables[min(number, 1)])


def test_a_file_that_is_cut_off_is_not_met_with_silence(tmp_path, picture):
    path = tmp_path / "picture.jpg"
    data = codec.encode(picture("text")).data
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(AssertionError, match="Premature"), _silence():
        jpeglib.read_spatial(str(path))

"""What holds of `encode` for any picture, map, rate, method, aim and strength."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

import codec
from config.errors import EncodingError

OVERHEAD_BYTES = 64
"""What our scans may take more than libjpeg's: their headers and codes, which matter in tiny files only."""

_POOL = ThreadPoolExecutor(2)


def _text(size: tuple[int, int], _: np.random.Generator) -> np.ndarray:
    page = Image.new("RGB", size[::-1], "white")
    draw = ImageDraw.Draw(page)
    for line in range(size[0] // 13 + 1):
        draw.text((2, 13 * line), "the quick brown fox " * 3, fill=(0, 0, 120))
    return np.asarray(page)


def _gradient(size: tuple[int, int], _: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[: size[0], : size[1]]
    return np.stack((y * 2 % 256, (x + 60) % 256, (x + y) // 3 % 256), axis=2).astype(np.uint8)


def _smooth(size: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    coarse = Image.fromarray(random.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    return np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC))


KINDS = {
    "black": lambda size, _: np.zeros((*size, 3), np.uint8),
    "white": lambda size, _: np.full((*size, 3), 255, np.uint8),
    "noise": lambda size, random: random.integers(0, 256, (*size, 3), dtype=np.uint8),
    "stripes": lambda size, _: np.broadcast_to((np.indices(size).sum(0) % 2 * 255)[..., None], (*size, 3)),
    "text": _text,
    "gradient": _gradient,
    "smooth": _smooth,
}


@st.composite
def pictures(draw: st.DrawFn, side: int = 130) -> np.ndarray:
    size = draw(st.tuples(st.integers(1, side), st.integers(1, side)))
    random = np.random.default_rng(draw(st.integers(0, 999)))
    pixels = KINDS[draw(st.sampled_from(sorted(KINDS)))](size, random).astype(np.uint8)
    return np.ascontiguousarray(pixels if draw(st.booleans()) else pixels[..., 1])


@st.composite
def maps(draw: st.DrawFn) -> np.ndarray | None:
    """Maps of one value, of one point, far larger and far smaller than any picture, of one row or column."""
    shape = draw(
        st.sampled_from([None, (1, 1), (1, 7), (300, 1), (2, 2), (900, 700)])
        | st.tuples(st.integers(1, 150), st.integers(1, 150))
    )
    if shape is None:
        return None
    kind = draw(st.sampled_from(["random", "constant", "one point", "halves", "nearly nothing"]))
    importance = np.zeros(shape, draw(st.sampled_from([np.float16, np.float32, np.float64, ">f4", ">f8"])))
    if kind == "random":
        importance[:] = np.random.default_rng(draw(st.integers(0, 99))).random(shape)
    elif kind == "constant":
        importance[:] = draw(st.sampled_from([0, 0.25, 1]))
    elif kind == "one point":
        importance[shape[0] // 2, shape[1] // 3] = 1
    elif kind == "halves":
        importance[:, shape[1] // 2 :] = 1
    else:
        importance[0, 0] = np.finfo(importance.dtype).tiny
    return importance


METHODS = st.sampled_from([*codec.METHODS, codec.Mosaic(levels=3, low=10, high=90)])
STRENGTHS = st.sampled_from([0, 0.3, 0.6, 1])
RATES = st.one_of(
    st.integers(1, 100).map(codec.Quality),
    st.integers(1, 100).map(codec.MatchJpeg),
    st.integers(600, 40_000).map(codec.TargetBytes),
)


def _open(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def _libjpeg(pixels: np.ndarray, quality: int, **options: bool) -> int:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, **options)
    return len(buffer.getvalue())


def _encode(pixels: np.ndarray, importance: np.ndarray | None, **options: object) -> codec.Encoded | None:
    """Return None where a target cannot be met."""
    try:
        return codec.encode(pixels, importance, **options)
    except EncodingError:
        assert not isinstance(options["rate"], codec.Quality)
        return None


@settings(max_examples=60, deadline=None, derandomize=True)
@given(pictures(), maps(), RATES, METHODS, st.sampled_from(codec.AIMS), STRENGTHS)
def test_what_comes_out_decodes_is_the_same_each_time_and_keeps_its_rate(
    pixels, importance, rate, method, aim, strength
):
    options = {"rate": rate, "method": method, "aim": aim, "strength": strength}
    runs = [_POOL.submit(_encode, pixels, importance, **options) for _ in range(2)]
    encoded = _encode(pixels, importance, **options)
    assert [run.result() for run in runs] == [encoded, encoded]
    if encoded is None:
        return
    image = _open(encoded.data)
    assert image.format == "JPEG"
    assert image.size == (encoded.width, encoded.height) == pixels.shape[1::-1]
    assert image.mode == ("RGB" if pixels.ndim == 3 else "L")
    if isinstance(rate, codec.TargetBytes):
        assert len(encoded.data) <= rate.size_bytes
    elif isinstance(rate, codec.MatchJpeg) and method == "trellis":
        assert len(encoded.data) <= 1.01 * _libjpeg(pixels, rate.quality)
    elif isinstance(rate, codec.Quality) and method == "trellis":
        libjpegs = _libjpeg(pixels, rate.quality, optimize=True, progressive=True)
        assert len(encoded.data) <= libjpegs + OVERHEAD_BYTES


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    pictures(),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from([0.0, 0.3, 1.0]),
    RATES,
    st.sampled_from(codec.AIMS),
    STRENGTHS,
)
def test_a_constant_map_is_no_map_whatever_is_asked(pixels, shape, value, rate, aim, strength):
    options = {"rate": rate, "aim": aim, "strength": strength}
    assert _encode(pixels, np.full(shape, value), **options) == _encode(pixels, None, **options)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(pictures(), maps(), RATES, METHODS)
def test_at_strength_nought_the_map_does_not_matter(pixels, importance, rate, method):
    options = {"rate": rate, "method": method, "strength": 0}
    assert _encode(pixels, importance, **options) == _encode(pixels, None, **options)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    st.sampled_from([(height, 65_500) for height in (1, 2, 3)] + [(65_500, width) for width in (1, 2, 3)]),
    st.sampled_from(["RGB", "L"]),
    METHODS,
    st.sampled_from([5, 75, 98]),
)
@example((1, 65_500), "L", "trellis", 75)
@example((65_500, 3), "RGB", "trellis", 75)
def test_one_side_may_be_of_65500_pixels(size, mode, method, quality):
    pixels = _gradient(size, np.random.default_rng(0))
    pixels = np.ascontiguousarray(pixels if mode == "RGB" else pixels[..., 0])
    encoded = codec.encode(pixels, np.eye(3), rate=codec.Quality(quality), method=method)
    image = _open(encoded.data)
    assert (image.size, image.mode) == (size[::-1], mode)
    assert np.abs(np.asarray(image).astype(int) - pixels).mean() < 60


@settings(max_examples=20, deadline=None, derandomize=True)
@given(pictures(60), st.integers(1, 3), st.booleans(), st.booleans(), st.booleans())
def test_layout_of_the_arrays_does_not_matter(pixels, step, flip, turn, frozen):
    importance = np.linspace(0, 1, 30).reshape(5, 6)
    expected = codec.encode(np.ascontiguousarray(pixels[::step]), importance)
    given_pixels = pixels[::step]
    if flip:
        given_pixels = np.ascontiguousarray(given_pixels[::-1])[::-1]
        importance = importance[:, ::-1].copy()[:, ::-1]
    if turn:
        given_pixels, importance = np.asfortranarray(given_pixels), np.asfortranarray(importance)
    if frozen:
        given_pixels = given_pixels.view()
        given_pixels.flags.writeable = False
        importance = importance.view()
        importance.flags.writeable = False
    assert codec.encode(given_pixels, importance) == expected


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", ">f8", "<f2", ">f2", np.longdouble])
def test_a_map_may_be_of_any_float(kind):
    pixels = _gradient((40, 50), np.random.default_rng(0))
    importance = np.array([[0, 0.25, 0.5], [1, 0.75, 0]])
    assert codec.encode(pixels, importance.astype(kind)) == codec.encode(pixels, importance)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        *[
            ("pixels", np.zeros((8, 8, 3), kind), TypeError)
            for kind in (bool, np.uint16, ">u2", np.int64, np.float64, complex, object, "S1", "M8[s]")
        ],
        *[("pixels", np.zeros(shape, np.uint8), ValueError) for shape in [(), (0, 0), (8, 0, 3), (8, 8, 1), (8, 8, 2)]],
        *[("pixels", np.zeros(shape, np.uint8), ValueError) for shape in [(3, 8, 8), (1, 8, 8, 3), (1, 65_501)]],
        ("pixels", None, TypeError),
        ("pixels", b"\0" * 64, TypeError),
        ("pixels", Image.new("L", (8, 8)), TypeError),
        *[("importance", np.zeros((2, 2), kind), TypeError) for kind in (object, complex, np.int64, "S1", "m8[s]")],
        *[("importance", np.zeros(shape), ValueError) for shape in [(), (4,), (0, 0), (2, 0), (1, 2, 2)]],
        *[
            ("importance", np.array([[0.5, value]], kind), ValueError)
            for value in (np.nan, np.inf, -np.inf, -1e-3, 1.001, 255)
            for kind in (np.float16, np.float32, ">f8")
        ],
        ("importance", 0.5, TypeError),
        ("importance", "high", TypeError),
        *[("rate", value, TypeError) for value in (None, 75.0, "75", codec.Quality)],
        *[("strength", value, TypeError) for value in (None, 0.5j, np.zeros(1))],
        *[("strength", value, ValueError) for value in (float("inf"), np.float32(1.5), 2)],
        ("icc", bytearray(b"profile"), TypeError),
        ("icc", bytes(17_000_000), ValueError),
        ("exif", memoryview(b"MM\0*"), TypeError),
    ],
)
def test_what_is_not_accepted_is_named(name, value, error):
    with pytest.raises(error, match=name):
        codec.encode(**{"pixels": np.zeros((8, 8), np.uint8), name: value})

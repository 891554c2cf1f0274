"""The mosaic: its six rules, its bytes, its place in `encode`."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

import codec
from codec.mosaic import level_of_value, make_mosaic
from config.errors import EncodingError


def _save(pixels: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _copy(pixels: np.ndarray, quality: int) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(_save(pixels, quality))))


def _sizes(pixels: np.ndarray) -> dict[int, int]:
    return {quality: len(_save(pixels, quality)) for quality in range(1, 101)}


def _ellipse() -> np.ndarray:
    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    return np.clip(1.5 - 2 * np.hypot(y, x), 0, 1)


def _plain_level(s: float, values: np.ndarray, mixing: str, levels: int) -> int:
    """What the docstring of `Mosaic` says, pixel by pixel."""
    top = levels - 1

    def below(share: float) -> bool:
        return s < np.percentile(values, 100 * share)

    if mixing == "mean":
        return top if s > values.mean() else 5 * top // 8
    if mixing == "linear":
        return min(top, int((levels + 1) * s // values.max()) + 1)
    if mixing == "quantiles":
        return min(top, sum(not below(j / (levels + 1)) for j in range(1, levels + 1)))
    if mixing == "steps":
        return (3 * top // 8 if below(0.2) else 5 * top // 8) if below(0.6) else 7 * top // 8 if below(0.9) else top
    if mixing == "median-wide":
        return top // 8 if below(0.5) else int(np.ceil(7 * top / 8))
    return 6 * top // 8 if below(0.5) else top


@pytest.mark.parametrize("mixing", codec.MIXINGS)
@pytest.mark.parametrize("levels", [2, 5, 9, 16])
@pytest.mark.parametrize("kind", ["spread", "mostly nothing", "few values"])
def test_each_rule_is_what_its_formula_says(mixing, levels, kind):
    random = np.random.default_rng(levels)
    values = {
        "spread": random.integers(0, 4097, 640),
        "mostly nothing": np.where(random.random(640) < 0.7, 0, random.integers(0, 3000, 640)),
        "few values": random.choice([256, 1024, 4096], 641),
    }[kind]
    method = codec.Mosaic(levels=levels, low=20, high=100, mixing=mixing)
    found = level_of_value(np.bincount(values, minlength=4097), method)[values]
    assert found.tolist() == [_plain_level(s, values, mixing, levels) for s in values.tolist()]


@pytest.mark.parametrize(
    ("mixing", "expected"),
    [
        ("mean", [70, 70, 70, 70, 70, 100, 100, 100, 100, 100]),
        ("linear", [40, 50, 60, 70, 80, 90, 100, 100, 100, 100]),
        ("steps", [50, 50, 70, 70, 70, 70, 90, 90, 90, 100]),
        ("median-wide", [30, 30, 30, 30, 30, 90, 90, 90, 90, 90]),
        ("median-narrow", [80, 80, 80, 80, 80, 100, 100, 100, 100, 100]),
        ("quantiles", [20, 30, 40, 50, 60, 70, 80, 90, 100, 100]),
    ],
)
def test_with_nine_levels_from_20_the_qualities_are_those_of_the_authors(mixing, expected):
    values = np.arange(100, 1100, 100)
    method = codec.Mosaic(9, 20, 100, mixing)
    levels = level_of_value(np.bincount(values, minlength=4097), method)[values]
    assert [method.quality(level) for level in levels.tolist()] == expected


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 4096), min_size=2, max_size=80), st.sampled_from(codec.MIXINGS), st.integers(2, 30))
def test_more_importance_never_means_a_lower_level(values, mixing, levels):
    assume(len(set(values)) > 1)
    method = codec.Mosaic(levels=levels, mixing=mixing)
    found = level_of_value(np.bincount(values, minlength=4097), method).astype(int)
    assert np.all(np.diff(found) >= 0)
    assert 0 <= found[0] <= found[-1] <= levels - 1
    assert found[max(values)] == levels - 1 or mixing == "median-wide"


def test_the_qualities_lie_evenly_from_low_to_high():
    assert [codec.Mosaic().quality(level) for level in range(5)] == [30, 40, 50, 60, 70]
    assert [codec.Mosaic(4, 1, 100).quality(level) for level in range(4)] == [1, 34, 67, 100]
    assert [codec.Mosaic(3, 10, 12).quality(level) for level in range(3)] == [10, 11, 12]


@pytest.mark.parametrize("name", ["cat", "camera"])
def test_each_pixel_is_that_of_the_copy_at_its_level(picture, name):
    pixels = picture(name)
    importance = np.zeros(pixels.shape[:2])
    importance[:, : pixels.shape[1] // 2] = 1
    mosaic = make_mosaic(pixels, importance, codec.Mosaic(mixing="mean"))
    half = pixels.shape[1] // 2
    assert np.array_equal(mosaic[:, : half - 1], _copy(pixels, 70)[:, : half - 1])
    assert np.array_equal(mosaic[:, half + 1 :], _copy(pixels, 50)[:, half + 1 :])


def test_a_quality_is_that_of_the_last_file(picture):
    method = codec.Mosaic(mixing="steps")
    encoded = codec.encode(picture("cat"), _ellipse(), rate=codec.Quality(83), method=method)
    assert encoded.data == _save(make_mosaic(picture("cat"), _ellipse(), method), 83)
    assert encoded.final_quality == 83
    assert (encoded.width, encoded.height, encoded.subsampling) == (397, 299, "4:2:0")
    assert (encoded.scale, encoded.lagrangian, encoded.measured_db, encoded.libjpeg_db) == (None,) * 4


@pytest.mark.parametrize("threshold", [0.0, 0.01, 0.2])
@pytest.mark.parametrize("quality", [25, 50, 90])
@pytest.mark.parametrize("name", ["coffee", "camera", "noise"])
def test_libjpegs_size_is_matched_by_the_best_quality_that_matches_it(picture, name, quality, threshold):
    method = codec.Mosaic(threshold=threshold)
    wanted = len(_save(picture(name), quality))
    sizes = _sizes(make_mosaic(picture(name), _ellipse(), method))
    encoded = codec.encode(picture(name), _ellipse(), rate=codec.MatchJpeg(quality), method=method)
    assert len(encoded.data) == sizes[encoded.final_quality]
    matching = [q for q, size in sizes.items() if abs(size - wanted) <= threshold * wanted]
    if matching:
        assert encoded.final_quality == max(matching)
    else:
        assert len(encoded.data) == max(size for size in sizes.values() if size <= wanted)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.booleans(),
    st.tuples(st.integers(1, 50), st.integers(1, 50)),
    st.sampled_from(codec.MIXINGS),
    st.integers(300, 3000),
    st.integers(0, 999),
)
def test_a_target_is_filled_and_never_passed(size, colour, shape, mixing, target, seed):
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (*size, 3) if colour else size, dtype=np.uint8)
    importance = random.random(shape) ** 3
    method = codec.Mosaic(mixing=mixing)
    mixed = make_mosaic(pixels, importance, method)
    sizes = _sizes(pixels if mixed is None else mixed).values()
    if min(sizes) > target:
        with pytest.raises(EncodingError, match=rf"{size[1]}x{size[0]} .* {min(sizes)} bytes, not {target}$"):
            codec.encode(pixels, importance, rate=codec.TargetBytes(target), method=method)
    else:
        encoded = codec.encode(pixels, importance, rate=codec.TargetBytes(target), method=method)
        assert len(encoded.data) == max(s for s in sizes if s <= target)
        assert Image.open(io.BytesIO(encoded.data)).size == size[::-1]


@pytest.mark.parametrize("importance", [None, np.full((3, 3), 0.4), np.zeros((1, 1))])
@pytest.mark.parametrize("name", ["coffee", "white"])
def test_without_a_choice_the_file_is_libjpegs(picture, name, importance):
    for rate in (codec.Quality(60), codec.MatchJpeg(60)):
        encoded = codec.encode(picture(name), importance, rate=rate, method="mosaic")
        assert encoded.data == _save(picture(name), 60)
        assert encoded.final_quality == 60
    target = len(_save(picture(name), 60))
    data = codec.encode(picture(name), importance, rate=codec.TargetBytes(target), method="mosaic").data
    assert len(data) == max(size for size in _sizes(picture(name)).values() if size <= target)


def test_strength_nought_is_no_map_and_any_other_the_same(picture):
    def data(strength: float) -> bytes:
        return codec.encode(picture("cat"), _ellipse(), method="mosaic", strength=strength).data

    assert data(0) == _save(picture("cat"), 75)
    assert data(0.1) == data(1) != data(0)


def test_the_same_picture_gives_the_same_bytes_in_every_thread(picture):
    names = ["cat", "camera", "text", "gradient"] * 2
    rate = codec.MatchJpeg(50)
    alone = {name: codec.encode(picture(name), np.eye(9), rate=rate, method="mosaic").data for name in set(names)}
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda name: codec.encode(picture(name), np.eye(9), rate=rate, method="mosaic").data, names)
    assert list(together) == [alone[name] for name in names]


def test_metadata_is_embedded_and_counts(picture):
    pixels = picture("cat")
    profile, tags = np.random.default_rng(1).bytes(70_000), Image.Exif()
    tags[0x010E] = "a cat"
    metadata = {"icc": profile, "exif": tags.tobytes()}
    rate = codec.TargetBytes(90_000)
    data = codec.encode(pixels, _ellipse(), rate=rate, method="mosaic", **metadata).data
    assert 70_000 < len(data) <= 90_000
    image = Image.open(io.BytesIO(data))
    assert image.info["icc_profile"] == profile
    assert image.getexif()[0x010E] == "a cat"
    smallest = min(_sizes(make_mosaic(pixels, _ellipse(), codec.Mosaic())).values())
    with pytest.raises(EncodingError, match="397x299") as caught:
        codec.encode(pixels, _ellipse(), rate=codec.TargetBytes(70_000), method="mosaic", **metadata)
    needed = int(str(caught.value).split(" bytes")[0].split()[-1])
    assert needed > smallest + 70_000
    exact = codec.encode(pixels, _ellipse(), rate=codec.TargetBytes(needed), method="mosaic", **metadata)
    assert len(exact.data) == needed


@pytest.mark.parametrize(
    ("changes", "error", "name"),
    [
        ({"levels": 1}, ValueError, "levels"),
        ({"levels": 42}, ValueError, "levels"),
        ({"levels": 5.0}, TypeError, "levels"),
        ({"low": 0}, ValueError, "low"),
        ({"low": "30"}, TypeError, "low"),
        ({"high": 101}, ValueError, "high"),
        ({"high": 30}, ValueError, "high"),
        ({"high": True}, TypeError, "high"),
        ({"mixing": "median"}, ValueError, "mixing"),
        ({"mixing": 6}, TypeError, "mixing"),
        ({"threshold": -0.01}, ValueError, "threshold"),
        ({"threshold": 1}, ValueError, "threshold"),
        ({"threshold": float("nan")}, ValueError, "threshold"),
        ({"threshold": "1%"}, TypeError, "threshold"),
    ],
)
def test_a_wrong_option_is_named(changes, error, name):
    with pytest.raises(error, match=name):
        codec.Mosaic(**changes)

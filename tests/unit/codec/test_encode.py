"""`encode` on any picture, any map, any argument."""

from __future__ import annotations

import inspect
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import codec
from codec.tables import ZIGZAG
from codec.tuning import TUNINGS


def _open(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.booleans(),
    st.one_of(st.none(), st.tuples(st.integers(1, 90), st.integers(1, 90))),
    st.sampled_from([1, 30, 75, 95, 100]),
    st.integers(0, 999),
)
def test_any_size_any_map_any_quality_decodes_to_its_size(size, colour, shape, quality, seed):
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC))
    pixels = pixels if colour else np.ascontiguousarray(pixels[..., 1])
    importance = None if shape is None else random.random(shape) ** 3
    encoded = codec.encode(pixels, importance, rate=codec.Quality(quality))
    image = _open(encoded.data)
    assert image.size == (encoded.width, encoded.height) == size[::-1]
    assert image.mode == ("RGB" if colour else "L")
    assert encoded.subsampling == ("4:2:0" if colour else "grey")
    assert encoded.measured_db >= encoded.libjpeg_db - 0.044  # an error of 1.01 times libjpeg's


@pytest.mark.parametrize("name", ["black", "white", "plain", "text", "noise", "gradient"])
def test_unusual_pictures_come_back_close(picture, name):
    pixels = picture(name)
    decoded = np.asarray(_open(codec.encode(pixels, rate=codec.Quality(90)).data))
    tolerance = {"black": 0, "white": 0, "plain": 1, "gradient": 2, "text": 6, "noise": 60}[name]
    assert np.abs(decoded.astype(int) - pixels).mean() <= tolerance


@pytest.mark.parametrize("shape", [(1, 65_500, 3), (65_500, 1), (9, 65_500)])
def test_a_side_may_have_65500_pixels(shape):
    ramp = np.resize(np.arange(251, dtype=np.uint8), shape)
    encoded = codec.encode(np.ascontiguousarray(ramp), np.array([[0.1, 0.9]]))
    assert _open(encoded.data).size == shape[1::-1]


def test_the_file_is_a_progressive_jfif_at_420_with_one_table_per_component(picture):
    image = _open(codec.encode(picture("coffee")).data)
    assert image.info["progressive"]
    assert image.info["jfif_version"] == (1, 2) or image.info["jfif"] >= 0x0101
    assert [component[1:] for component in image.layer] == [(2, 2, 0), (1, 1, 1), (1, 1, 1)]
    assert len(image.quantization) == 2


def test_a_plain_map_is_no_map(picture):
    none = codec.encode(picture("cat"))
    for level in (0.0, 0.2, 1.0):
        assert codec.encode(picture("cat"), np.full((5, 7), level)).data == none.data


def test_dtype_and_layout_of_the_map_do_not_matter(picture):
    importance = np.linspace(0, 1, 12 * 16).reshape(12, 16).astype(np.float16)
    expected = codec.encode(picture("cat"), importance).data
    assert codec.encode(picture("cat"), importance.astype(np.float64)).data == expected
    assert codec.encode(picture("cat"), np.asfortranarray(importance.astype(np.float32))).data == expected


def test_layout_of_the_pixels_does_not_matter_and_nothing_is_changed(picture):
    pixels = picture("cat").copy()
    frozen = pixels.copy()
    frozen.setflags(write=False)
    importance = np.eye(8)
    expected = codec.encode(frozen, importance).data
    assert codec.encode(np.asfortranarray(pixels), importance).data == expected
    assert codec.encode(pixels[:, ::-1][:, ::-1], importance).data == expected
    assert np.array_equal(pixels, frozen)
    assert np.array_equal(importance, np.eye(8))


def test_the_same_picture_gives_the_same_bytes_in_every_thread(picture):
    names = ["cat", "camera", "text", "gradient"] * 3
    alone = {name: codec.encode(picture(name), np.eye(9)).data for name in set(names)}
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda name: codec.encode(picture(name), np.eye(9)).data, names))
    assert together == [alone[name] for name in names]


def test_grey_and_colour_share_the_luma_of_a_grey_picture(picture):
    grey = picture("camera")
    colour = np.repeat(grey[..., None], 3, axis=2)
    decoded = [np.asarray(_open(codec.encode(pixels).data).convert("L"), float) for pixels in (grey, colour)]
    assert np.abs(decoded[0] - decoded[1]).mean() < 1


@pytest.mark.parametrize(
    ("changes", "error", "name"),
    [
        ({"pixels": [[1]]}, TypeError, "pixels"),
        ({"pixels": np.zeros((8, 8), np.float32)}, TypeError, "pixels"),
        ({"pixels": np.zeros((8, 8), np.int8)}, TypeError, "pixels"),
        ({"pixels": np.zeros(8, np.uint8)}, ValueError, "pixels"),
        ({"pixels": np.zeros((8, 8, 4), np.uint8)}, ValueError, "pixels"),
        ({"pixels": np.zeros((0, 8, 3), np.uint8)}, ValueError, "pixels"),
        ({"pixels": np.zeros((65_501, 1), np.uint8)}, ValueError, "pixels"),
        ({"importance": [[0.5]]}, TypeError, "importance"),
        ({"importance": np.zeros((2, 2), np.uint8)}, TypeError, "importance"),
        ({"importance": np.zeros((2, 2), bool)}, TypeError, "importance"),
        ({"importance": np.zeros((2, 2, 1))}, ValueError, "importance"),
        ({"importance": np.zeros((0, 2))}, ValueError, "importance"),
        ({"importance": np.array([[0.5, np.nan]])}, ValueError, "importance"),
        ({"importance": np.array([[0.5, np.inf]])}, ValueError, "importance"),
        ({"importance": np.array([[-0.01]])}, ValueError, "importance"),
        ({"importance": np.array([[1.01]])}, ValueError, "importance"),
        ({"rate": 75}, TypeError, "rate"),
        ({"method": "jpeg"}, ValueError, "method"),
        ({"method": None}, TypeError, "method"),
        ({"method": codec.Mosaic}, TypeError, "method"),
        ({"aim": "ssim"}, ValueError, "aim"),
        ({"aim": 1}, TypeError, "aim"),
        ({"strength": "0.5"}, TypeError, "strength"),
        ({"strength": True}, TypeError, "strength"),
        ({"strength": -0.1}, ValueError, "strength"),
        ({"strength": 1.1}, ValueError, "strength"),
        ({"strength": float("nan")}, ValueError, "strength"),
        ({"icc": "sRGB"}, TypeError, "icc"),
        ({"icc": b""}, ValueError, "icc"),
        ({"exif": bytearray(8)}, TypeError, "exif"),
        ({"exif": b""}, ValueError, "exif"),
        ({"exif": b"Exif\0\0"}, ValueError, "exif"),
        ({"exif": bytes(65_528)}, ValueError, "exif"),
    ],
)
def test_a_wrong_argument_is_named(changes, error, name):
    arguments = {"pixels": np.zeros((8, 8, 3), np.uint8), **changes}
    with pytest.raises(error, match=name):
        codec.encode(**arguments)


@pytest.mark.parametrize(
    ("value", "error"), [(75.0, TypeError), (True, TypeError), ("75", TypeError), (0, ValueError), (101, ValueError)]
)
def test_a_quality_is_a_whole_number_of_libjpegs_scale(value, error):
    with pytest.raises(error, match="quality"):
        codec.Quality(value)


def test_trellis_balanced_is_what_happens_unless_told_otherwise(picture):
    expected = codec.encode(picture("cat"), np.eye(8))
    assert codec.encode(picture("cat"), np.eye(8), method="trellis", aim="balanced") == expected
    assert expected.final_quality is None


def test_the_mosaic_is_one_of_defaults_unless_told_otherwise(picture):
    named = codec.encode(picture("cat"), np.eye(8), method="mosaic")
    assert named == codec.encode(picture("cat"), np.eye(8), method=codec.Mosaic())
    assert named != codec.encode(picture("cat"), np.eye(8), method=codec.Mosaic(levels=9, low=20, high=100))
    assert {codec.encode(picture("cat"), np.eye(8), method="mosaic", aim=aim).data for aim in codec.AIMS} == {
        named.data
    }


@pytest.mark.parametrize("length", [1, 65_519, 65_520, 200_000])
def test_an_icc_profile_of_any_length_comes_back(picture, length):
    profile = np.random.default_rng(length).bytes(length)
    data = codec.encode(picture("text"), icc=profile).data
    assert _open(data).info["icc_profile"] == profile
    assert _open(data).tobytes() == _open(codec.encode(picture("text")).data).tobytes()


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_exif_comes_back_with_or_without_its_header(picture, prefix):
    tags = Image.Exif()
    tags[0x0112] = 6
    tags[0x010E] = "a cat"
    body = tags.tobytes().removeprefix(b"Exif\0\0")
    image = _open(codec.encode(picture("cat"), exif=prefix + body, icc=b"profile").data)
    assert image.getexif()[0x0112] == 6
    assert image.getexif()[0x010E] == "a cat"
    assert image.info["icc_profile"] == b"profile"


def test_the_largest_exif_fits(picture):
    body = np.random.default_rng(0).bytes(65_527)
    for exif in (body, b"Exif\0\0" + body):
        assert codec.encode(picture("black"), exif=exif).data.count(b"Exif\0\0" + body) == 1


def test_what_was_decided_can_be_logged_without_the_file(picture):
    assert len(repr(codec.encode(picture("coffee")))) < 300


def test_everything_public_is_listed():
    public = {name for name, value in vars(codec).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert public == set(codec.__all__)


def test_every_aim_decodes_at_any_rate_and_says_what_was_decided(picture):
    for aim in codec.AIMS:
        for rate in (codec.Quality(60), codec.MatchJpeg(60), codec.TargetBytes(9000)):
            encoded = codec.encode(picture("cat"), np.eye(8), rate=rate, aim=aim)
            assert _open(encoded.data).size == (397, 299)
            assert encoded.scale > 0
            assert encoded.lagrangian >= 0
            for told in (encoded.measured_db, encoded.libjpeg_db):
                assert (told is not None) == isinstance(rate, codec.Quality)


def test_the_tables_of_the_file_are_those_of_the_scale_that_is_told(picture):
    for rate in (codec.MatchJpeg(60), codec.TargetBytes(9000)):
        encoded = codec.encode(picture("cat"), rate=rate)
        tables = _open(encoded.data).quantization
        for number in (0, 1):
            # Pillow gives them in raster order.
            assert np.array_equal(np.array(tables[number])[ZIGZAG], TUNINGS["balanced"].table(number, encoded.scale))

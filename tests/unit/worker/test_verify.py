from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

import codec
from config.errors import VerificationError
from config.settings import LimitSettings
from worker.decode import Picture
from worker.verify import verify

LIMITS = LimitSettings()


def picture(pixels: np.ndarray) -> Picture:
    return Picture(pixels=pixels, icc=None, exif=Image.Exif())


def jpeg(pixels: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("quality", [1, 10, 50, 95])
@pytest.mark.parametrize("name", ["astronaut", "camera", "coffee"])
def test_a_result_is_recognised_at_every_quality(name, quality):
    pixels = getattr(data, name)()
    decoded = verify(jpeg(pixels, quality=quality), picture(pixels), LIMITS)
    assert decoded.shape == pixels.shape


SIDES = st.integers(1, 70)


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, st.integers(0, 2**32 - 1), st.sampled_from([40, 75, 95]), st.integers(1, 8))
def test_noise_of_any_size_is_recognised(height, width, seed, quality, scale):
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 2, (height // scale + 1, width // scale + 1, 3)) * 255
    pixels = coarse.repeat(scale, 0).repeat(scale, 1)[:height, :width].astype(np.uint8)
    verify(jpeg(pixels, quality=quality), picture(pixels), LIMITS)


@pytest.mark.parametrize("period", [1, 2, 3, 5, 8])
def test_stripes_of_saturated_colours_are_recognised(period):
    """Subsampled chroma cannot hold them: libjpeg's own copy differs by more than a sound one of a photograph may."""
    columns = np.arange(64) // period % 2
    for colours in ([(255, 0, 0), (255, 255, 0)], [(0, 0, 255), (255, 255, 255)], [(255, 0, 255), (0, 255, 0)]):
        pixels = np.tile(np.array(colours, np.uint8)[columns], (64, 1, 1))
        verify(codec.encode(pixels).data, picture(pixels), LIMITS)


ASTRONAUT = data.astronaut()


@pytest.mark.parametrize(
    "wrong",
    [
        ASTRONAUT[:-1],
        ASTRONAUT[..., 0],
        ASTRONAUT[..., ::-1],
        ASTRONAUT[::-1],
        np.roll(ASTRONAUT, 16, axis=1),
        np.where(np.arange(512)[:, None, None] < 480, ASTRONAUT, 128).astype(np.uint8),
    ],
    ids=["size", "grey", "channels", "upside-down", "shifted", "lost blocks"],
)
def test_another_picture_is_refused(wrong):
    with pytest.raises(VerificationError):
        verify(jpeg(np.ascontiguousarray(wrong), quality=90), picture(ASTRONAUT), LIMITS)


def test_what_cannot_be_decoded_is_refused():
    good = jpeg(ASTRONAUT)
    for bad in (b"", good[:100], good[: len(good) // 2]):
        with pytest.raises(VerificationError):
            verify(bad, picture(ASTRONAUT), LIMITS)

"""The measures of a file."""

from __future__ import annotations

import io

import numpy as np
import psnr_hvsm
import pytest
from PIL import Image

from codec import reference
from semjpeg.benchmark.measures import SLOW, Judge
from semjpeg.benchmark.pictures import ellipse


def test_the_measures_of_a_known_picture_are_the_known_ones(coffee):
    judge = Judge(coffee, np.ones((1, 1), np.float32), {})
    values = judge.judge(reference.libjpeg(coffee, 50), SLOW)
    expected = {
        "psnr": 32.40, "ssim": 0.9107, "ms_ssim": 0.9877, "vifp": 0.5462, "psnr_hvs": 35.42, "psnr_hvs_m": 42.23,
        "ssimulacra2": 59.92, "psnr_s": 32.40,
    }  # fmt: skip
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, abs=0.006 if value > 1 else 0.00006)


def test_a_region_is_measured_where_its_map_is_half_or_more(coffee):
    pixels = coffee[:128, :160]
    mask = np.zeros((128, 160), np.float32)
    mask[32:96, 40:120] = 1
    jpeg = reference.libjpeg(pixels, 40)
    values = Judge(pixels, mask, {"mask": mask, "nothing": np.zeros((4, 4), np.float32)}).judge(jpeg)
    lumas = [reference.luma(picture) / 255 for picture in (pixels, reference.decode(jpeg))]
    with np.errstate(invalid="ignore"):  # that package divides by nothing in flat blocks
        tiles = psnr_hvsm.hvs_hvsm_mse_tiles(*lumas)[1].reshape(16, 20)
    assert values["psnr_hvs_m_mask"] == pytest.approx(-10 * np.log10(tiles[4:12, 5:15].mean()), abs=0.1)
    assert values["psnr_hvs_m_nothing"] == pytest.approx(values["psnr_hvs_m"])
    assert values["psnr_hvs_m_mask"] != pytest.approx(values["psnr_hvs_m"], abs=0.05)
    assert not SLOW & values.keys()


def test_a_grey_file_is_measured_like_any_other(coffee):
    jpeg = io.BytesIO()
    Image.fromarray(coffee[:64, :64]).convert("L").save(jpeg, "JPEG", quality=95)
    values = Judge(coffee[:64, :64], ellipse(), {}).judge(jpeg.getvalue())
    assert values["psnr"] > 35

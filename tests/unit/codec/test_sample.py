"""The sample of a picture: the right blocks, MCU by MCU, counted as often as they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psnr_hvsm import hvs_hvsm_mse_tiles

from codec import hvsm, libjpeg, outcome, reference, transform
from codec import sample as module
from codec.picture import Picture, prepare


def _disc(side: int = 40) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    return np.clip(1.3 - 1.6 * np.hypot(y, x), 0, 1)


def _places(taken: module.Sample, picture: Picture) -> np.ndarray:
    """Number in the picture of each MCU of the sample, found by its last component, whose blocks all differ."""
    blocks = picture.components[-1].coefficients
    originals = {row.tobytes(): number for number, row in enumerate(blocks)}
    assert len(originals) == len(blocks)
    return np.array([originals[row.tobytes()] for row in taken.components[-1].coefficients])


@pytest.fixture
def textured():
    """Pictures of which no two blocks are alike."""

    def make(*shape: int) -> np.ndarray:
        return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)

    return make


@pytest.mark.parametrize("shape", [(120, 200, 3), (93, 131, 3), (120, 200), (61, 75), (5, 40, 3)])
@pytest.mark.parametrize("largest", [4096, 12])
def test_mcus_are_taken_whole_with_all_that_belongs_to_them(textured, monkeypatch, shape, largest):
    monkeypatch.setattr(module, "LARGEST", largest)
    pixels = textured(*shape)
    picture = prepare(pixels, _disc(), 0.6)
    taken = module.sample(picture)
    mcu = _places(taken, picture)
    assert len(taken.times) == len(mcu) == min(len(picture.components[-1].coefficients), largest)
    assert len(set(mcu.tolist())) == len(mcu)
    luma = picture.planes[0]
    if len(shape) == 3:
        top_left = 2 * (mcu // (luma.columns // 2)) * luma.columns + 2 * (mcu % (luma.columns // 2))
        blocks = np.stack(
            (top_left, top_left + 1, top_left + luma.columns, top_left + luma.columns + 1), axis=1
        ).ravel()
    else:
        blocks = mcu
    for part, original in zip(taken.components, picture.components, strict=True):
        places = blocks if part.number == 0 else mcu
        assert np.array_equal(part.coefficients, original.coefficients[places])
        assert np.array_equal(part.masking, original.masking[places])
        assert np.array_equal(part.weight, original.weight[places])
    measured = transform.luma_plane(_padded(reference.luma(pixels), 16 if len(shape) == 3 else 8)).coefficients[blocks]
    assert np.array_equal(taken.luma, measured)
    assert np.array_equal(taken.masking, hvsm.masking(measured))


def _padded(luma: np.ndarray, multiple: int) -> np.ndarray:
    return np.pad(luma, [(0, -side % multiple) for side in luma.shape], mode="edge")


@pytest.mark.parametrize("name", ["coffee", "camera", "cat"])
def test_a_small_picture_is_its_own_sample_in_order(picture, name):
    pixels = picture(name)
    prepared = prepare(pixels, _disc(), 0.6)
    taken = module.sample(prepared)
    assert taken.complete
    assert (taken.times == 1).all()
    assert np.array_equal(taken.components[-1].coefficients, prepared.components[-1].coefficients)
    assert len(taken.region) == len(taken.rest) == len(taken.luma) == len(prepared.components[0].coefficients)
    assert not (taken.region & taken.rest).any()
    assert (taken.region | taken.rest).sum() == (pixels.shape[0] // 8) * (pixels.shape[1] // 8)
    assert taken.region.any()
    assert taken.rest.any()
    for part in taken.components:
        assert np.array_equal(taken.times_of(part.number), np.ones(len(part.coefficients)))


def test_the_region_is_where_the_map_has_half_its_highest_value(picture):
    importance = np.zeros((25, 38))
    importance[:, :19] = 0.6
    taken = module.sample(prepare(picture("coffee"), importance, 0.6))
    share = taken.region.sum() / (taken.region | taken.rest).sum()
    assert share == pytest.approx(0.5, abs=0.03)
    everything = module.sample(prepare(picture("coffee"), None, 0.6))
    assert everything.region.sum() == (400 // 8) * (600 // 8)
    assert not everything.rest.any()


def test_interest_in_no_whole_block_is_interest_in_all(textured):
    # The last 4 of 84 columns, which make no whole block, are the only ones of interest.
    taken = module.sample(prepare(textured(16, 84, 3), np.eye(1, 21, 20), 1))
    assert taken.region.sum() == 2 * 10
    assert not taken.rest.any()


@pytest.mark.parametrize(("shape", "count"), [((3, 5, 3), 1), ((3, 40, 3), 5), ((7, 7), 1), ((20, 3), 2)])
def test_a_side_shorter_than_a_block_counts_as_one(textured, shape, count):
    taken = module.sample(prepare(textured(*shape), None, 0.6))
    assert taken.region.sum() == count


@pytest.mark.parametrize("name", ["coffee", "camera"])
def test_of_a_large_picture_the_region_is_looked_at_most(picture, name, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 200)
    prepared = prepare(picture(name), _disc(), 0.6)
    taken = module.sample(prepared)
    assert not taken.complete
    assert len(taken.times) == 200
    per_mcu = len(taken.region) // 200
    inside = taken.region.reshape(200, per_mcu).any(axis=1)
    assert inside.sum() == 150
    assert (~inside).sum() == 50
    # Both kinds of MCU stand for all of their kind.
    total = len(prepared.components[-1].coefficients)
    assert taken.times.sum() == pytest.approx(total, rel=0.15)
    assert len(set(taken.times[inside].tolist())) == len(set(taken.times[~inside].tolist())) == 1
    assert np.array_equal(taken.times_of(0), taken.times.repeat(per_mcu))


def test_without_a_region_of_its_own_all_places_are_looked_at(picture, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 100)
    prepared = prepare(picture("coffee"), None, 0.6)
    taken = module.sample(prepared)
    places = _places(taken, prepared)
    assert np.histogram(places, 10, (0, len(prepared.components[-1].coefficients)))[0].tolist() == [10] * 10
    assert set(taken.times.tolist()) == {round(25 * 38 / 100)}


@pytest.mark.parametrize(("share", "within"), [(0.5, 0.5), (0.25, 0.5), (0.1, 0.4), (0.9, 0.6), (1, 1)])
def test_scouts_are_a_smaller_sample_of_both_parts(textured, share, within):
    pixels = textured(640, 1280, 3)
    importance = np.zeros((40, 80))
    importance[:, : round(80 * share)] = 1
    taken = module.sample(prepare(pixels, importance, 0.6))
    mcu = taken.scouts(np.ones(len(taken.region)))
    assert len(set(mcu.tolist())) == len(mcu) == len(taken.times) // 4 == 800
    scouts = taken.subset(mcu)
    assert not scouts.complete
    inside = scouts.region.reshape(-1, 4).any(axis=1)
    assert inside.mean() == pytest.approx(within, abs=0.03)
    luma = taken.luma_of(mcu)
    assert luma.tolist() == [4 * number + part for number in mcu for part in range(4)]
    for name in ("blocks", "luma", "masking", "region", "rest"):
        assert np.array_equal(getattr(scouts, name), getattr(taken, name)[luma])
    for part, original in zip(scouts.components, taken.components, strict=True):
        assert np.array_equal(part.coefficients, original.coefficients[mcu if part.number else luma])
        assert np.array_equal(part.weight, original.weight[mcu if part.number else luma])
    for chosen, part in ((inside, share), (~inside, 1 - share)):
        assert scouts.times[chosen].sum() == pytest.approx(part * len(taken.times), rel=0.26)


def test_scouts_meet_large_errors_as_often_as_all(textured):
    taken = module.sample(prepare(textured(640, 1280, 3), _disc(), 0.6))
    errors = np.random.default_rng(0).pareto(1.5, len(taken.region) // 4).repeat(4)
    chosen = taken.luma_of(taken.scouts(errors))
    for part in (taken.region, taken.rest):
        assert np.median(errors[chosen][part[chosen]]) == pytest.approx(np.median(errors[part]), rel=0.05)
        assert errors[chosen][part[chosen]].mean() == pytest.approx(errors[part].mean(), rel=0.25)


def test_of_a_small_picture_all_are_scouts(textured):
    taken = module.sample(prepare(textured(300, 400, 3), _disc(), 0.6))
    assert np.array_equal(taken.scouts(np.ones(len(taken.region))), np.arange(len(taken.times)))


@pytest.mark.parametrize("largest", [4096, 60])
@pytest.mark.parametrize("name", ["coffee", "camera"])
def test_errors_are_means_of_what_the_decoder_shows(picture, name, largest, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", largest)
    taken = module.sample(prepare(picture(name), _disc(), 0.6))
    levels, tables = libjpeg.libjpeg_levels(taken.components, 50), libjpeg.libjpeg_tables(50)[: len(taken.components)]
    blocks = outcome.outcome(levels, tables, taken.luma, taken.masking).astype(float)
    found = taken.errors(levels, tables)
    assert found.inside.shape == found.outside.shape == found.whole.shape == (len(outcome.MEASURES),)
    assert found.inside == pytest.approx(blocks[taken.region].mean(axis=0))
    assert found.outside == pytest.approx(blocks[taken.rest].mean(axis=0))
    whole = taken.region | taken.rest
    often = taken.times_of(0)[whole]
    assert found.whole == pytest.approx([np.average(blocks[whole, number], weights=often) for number in range(4)])


def test_without_a_rest_there_is_no_error_outside(picture):
    taken = module.sample(prepare(picture("camera"), None, 0.6))
    found = taken.errors(libjpeg.libjpeg_levels(taken.components, 50), libjpeg.libjpeg_tables(50)[:1])
    assert found.outside.tolist() == [0] * len(outcome.MEASURES)
    assert found.inside == pytest.approx(found.whole)


def _tiles(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, ...]:
    """Errors `[rows,columns]` of luma that PSNR, PSNR-HVS and PSNR-HVS-M see: NumPy, and the measures' own package."""
    rows, columns = (side // 8 for side in first.shape)
    lights = [light[: 8 * rows, : 8 * columns].astype(float) for light in (first, second)]
    squared = ((lights[0] - lights[1]) ** 2).reshape(rows, 8, columns, 8).mean(axis=(1, 3))
    with np.errstate(all="ignore"):
        others = hvs_hvsm_mse_tiles(lights[0] / 255, lights[1] / 255)
    return squared, *(np.asarray(part).reshape(rows, columns) * 255**2 for part in others)


@pytest.mark.parametrize("quality", [20, 75, 92])
@pytest.mark.parametrize("name", ["cat", "camera"])
def test_the_error_that_is_shown_is_that_of_the_region_in_the_decoded_file(picture, name, quality):
    pixels = picture(name)
    prepared = prepare(pixels, _disc(), 0.6)
    taken = module.sample(prepared)
    decoded = reference.decode(reference.libjpeg(pixels, quality))
    rows, columns = pixels.shape[0] // 8, pixels.shape[1] // 8
    luma = prepared.planes[0]
    region = prepared.interesting.reshape(luma.rows, luma.columns)[:rows, :columns]
    for measure, tiles in enumerate(_tiles(reference.luma(pixels), reference.luma(decoded))):
        shown = module.shown_errors(prepared, decoded, measure)
        assert shown.reshape(luma.rows, luma.columns)[:rows, :columns] == pytest.approx(tiles, rel=5e-3, abs=5e-3)
        inside, outside = taken.means(shown[taken.blocks])
        assert inside == pytest.approx(tiles[region].mean(), rel=2e-3)
        assert outside == pytest.approx(tiles[~region].mean(), rel=2e-3)
        assert not module.shown_errors(prepared, pixels, measure).any()


@pytest.mark.parametrize("name", ["coffee", "astronaut"])
def test_a_sample_is_about_as_good_as_its_picture(picture, name, monkeypatch):
    def errors() -> np.ndarray:
        taken = module.sample(prepare(picture(name), _disc(), 0.6))
        return taken.errors(libjpeg.libjpeg_levels(taken.components, 50), libjpeg.libjpeg_tables(50)).whole

    every = errors()
    monkeypatch.setattr(module, "LARGEST", 300)
    assert errors() == pytest.approx(every, rel=0.15)


@pytest.mark.parametrize(
    ("size", "grid", "count"), [((16, 24), (2, 3), 6), ((15, 30), (2, 4), 3), ((3, 20), (2, 4), 2), ((1, 1), (2, 2), 1)]
)
def test_only_whole_blocks_count_unless_a_side_has_none(size, grid, count):
    whole = module.whole_blocks(size, grid)
    assert whole.shape == grid
    assert whole.sum() == count


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 400), st.integers(1, 400))
def test_picked_places_are_distinct_and_one_of_each_stretch(candidates, count):
    picked = module._pick(np.arange(candidates) + 7, count)
    assert picked.dtype == np.intp
    if candidates <= count:
        assert picked.tolist() == list(range(7, candidates + 7))
    else:
        stretches = np.searchsorted(np.arange(count + 1) * candidates // count, picked - 7, side="right")
        assert stretches.tolist() == list(range(1, count + 1))


def test_picked_places_follow_no_pattern():
    # Every fifth of 1000 places: of each of the five kinds of place about as many.
    assert np.bincount(module._pick(np.arange(1000), 200) % 5, minlength=5).tolist() == pytest.approx([40] * 5, abs=2)

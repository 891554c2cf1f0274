"""Files that were cut or changed by chance end as a result or as a named failure, never as anything else."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

CHAOS = runpy.run_path(str(Path(__file__).parents[2] / "chaos" / "mutations.py"))
FILES = CHAOS["good_files"]()
CUTS = 20
MUTATIONS_PER_BATCH = 50

pytestmark = pytest.mark.filterwarnings("ignore:::PIL", "ignore:Truncated File Read", "ignore:Corrupt EXIF data")


@pytest.mark.parametrize("name", sorted(FILES))
def test_good_files_give_results(name):
    assert CHAOS["ending"](FILES[name]) == "result"


@pytest.mark.parametrize("name", CHAOS["FORMATS"])
def test_a_cut_file_is_damaged_or_no_image(name):
    endings = {at: CHAOS["ending"](data) for at, data in CHAOS["truncations"](FILES[name], CUTS)}
    assert len(endings) == CUTS
    assert endings[0] == "not-an-image"
    assert set(endings.values()) <= {"damaged-image", "not-an-image"}


@pytest.mark.parametrize("first", range(0, 300, MUTATIONS_PER_BATCH))
def test_a_changed_file_ends_as_a_result_or_as_a_named_failure(first):
    for seed in range(first, first + MUTATIONS_PER_BATCH):
        name, data = CHAOS["mutation"](FILES, seed)
        code = CHAOS["ending"](data)
        assert code in {"result", "damaged-image", "not-an-image", "too-large", "unsupported-image"}, (seed, name)

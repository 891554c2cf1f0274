"""What the tests of the comparison share: invented pictures with invented figures."""

from __future__ import annotations

import pytest

from semjpeg.comparison.entry import COLUMNS, JPEG, OUR, Entry, File


@pytest.fixture
def entry_of():
    """Make an entry whose measures are all `base` for libjpeg, and `gain` more for ours."""

    def make(
        name: str, base: float = 30.0, gain: float = 1.0, *, category: str = "", our_size: int = 1000, model: int = 2
    ) -> Entry:
        files = {
            JPEG: File(1000, 50, dict.fromkeys(COLUMNS, base)),
            OUR: File(our_size, 61, dict.fromkeys(COLUMNS, base + gain)),
        }
        return Entry(name, category, model, 9000, (96, 64), files)

    return make

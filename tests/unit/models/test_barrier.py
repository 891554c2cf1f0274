import heapq

import numpy as np
import pytest

from models.barrier import barrier_distance


def test_flat_picture_has_no_barrier():
    assert not barrier_distance(np.full((9, 12, 3), 77, np.uint8)).any()


def test_thing_is_separated_by_its_contrast_in_every_channel():
    picture = np.full((20, 30, 3), 50, np.uint8)
    picture[8:12, 10:20] = (90, 50, 40)
    distance = barrier_distance(picture)
    assert (distance[8:12, 10:20] == 40 + 0 + 10).all()
    assert distance[0, 0] == distance[7, 10] == 0


def test_thing_that_touches_the_border_belongs_to_the_border():
    picture = np.zeros((20, 30, 1), np.uint8)
    picture[10:, 10:20] = 200
    assert not barrier_distance(picture).any()


def widest_step_distance(plane):
    """Exact distance for a plane of two values: how many steps lie between, by best-first search."""
    height, width = plane.shape
    found = {}
    heap = [
        (0, int(plane[r, c]), int(plane[r, c]), r, c)
        for r in range(height)
        for c in range(width)
        if r in (0, height - 1) or c in (0, width - 1)
    ]
    heapq.heapify(heap)
    while heap:
        cost, low, high, row, column = heapq.heappop(heap)
        if (row, column) in found:
            continue
        found[row, column] = cost
        for r, c in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if 0 <= r < height and 0 <= c < width and (r, c) not in found:
                bottom, top = min(low, int(plane[r, c])), max(high, int(plane[r, c]))
                heapq.heappush(heap, (top - bottom, bottom, top, r, c))
    return np.array([[found[r, c] for c in range(width)] for r in range(height)])


@pytest.mark.parametrize("seed", range(4))
def test_raster_scans_come_close_to_a_search_over_all_paths(seed):
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 200, (6, 8)).repeat(4, axis=0).repeat(4, axis=1).astype(np.uint8)
    exact = widest_step_distance(blocks)
    scanned = barrier_distance(blocks[..., None])
    assert (scanned >= 0).all()
    assert np.abs(scanned - exact).mean() < 5


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 50, 3), (50, 2, 1)])
def test_pictures_that_are_all_border(shape):
    picture = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    assert not barrier_distance(picture).any()

"""Huffman codes: complete, short enough, prefix-free, and as short as they can be."""

from __future__ import annotations

import heapq
import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec import huffman

_HISTOGRAMS = st.dictionaries(st.integers(0, 255), st.integers(1, 100_000), min_size=1, max_size=60)


def _histogram(counts: dict[int, int]) -> np.ndarray:
    histogram = np.zeros(256, np.int64)
    for symbol, count in counts.items():
        histogram[symbol] = count
    return histogram


def _least_bits(counts: list[int]) -> int:
    """Bits under Huffman's code: the sum of all inner nodes of his tree."""
    heap = list(counts)
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        node = heapq.heappop(heap) + heapq.heappop(heap)
        total += node
        heapq.heappush(heap, node)
    return total


def _least_limited_bits(counts: list[int], longest: int) -> int:
    """Bits under the best code of limited length, by package-merge (Larmore and Hirschberg 1990)."""
    packages: list[int] = []
    for _ in range(longest):
        merged = sorted(counts + packages)
        packages = [sum(merged[i : i + 2]) for i in range(0, len(merged) - 1, 2)]
    return sum(packages[: len(counts) - 1])


def _check(table: huffman.HuffmanTable, used: set[int]) -> None:
    assert set(table.symbols) == used
    assert sum(table.counts) == len(used)
    codes = [f"{table.codes[s]:0{table.lengths[s]}b}" for s in table.symbols]
    assert all(1 <= len(code) <= huffman.LONGEST for code in codes)
    assert [sum(len(code) == n for code in codes) for n in range(1, 17)] == list(table.counts)
    assert not any(set(code) == {"1"} for code in codes)
    ordered = sorted(codes)
    assert not any(b.startswith(a) for a, b in itertools.pairwise(ordered))
    assert sum(Fraction(1, 2 ** len(code)) for code in codes) < 1
    assert (table.lengths > 0).sum() == len(used)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(_HISTOGRAMS)
def test_codes_are_sound_and_optimal(counts):
    table = huffman.build(_histogram(counts))
    _check(table, set(counts))
    bits = sum(count * int(table.lengths[symbol]) for symbol, count in counts.items())
    # One code word, that of all ones, is set aside: what that costs at the most is one bit for the rarest symbols.
    assert bits <= _least_bits([2 * count for count in counts.values()] + [1]) / 2
    assert bits >= _least_limited_bits(list(counts.values()), 16) if len(counts) > 1 else bits == sum(counts.values())


def test_lengths_end_at_sixteen_and_are_the_best_that_do():
    fibonacci = [1, 1]
    while len(fibonacci) < 40:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    table = huffman.build(_histogram(dict(enumerate(fibonacci))))
    _check(table, set(range(40)))
    assert table.lengths.max() == 16
    bits = int(np.array(fibonacci) @ table.lengths[:40])
    # The rarest of the 41 codes, here of 16 bits, is the one that is set aside.
    assert bits == (_least_limited_bits([1, *(2 * count for count in fibonacci)], 16) - 16) // 2


def test_all_symbols_alike_take_nine_bits_at_the_most():
    table = huffman.build(np.ones(256, np.int64))
    _check(table, set(range(256)))
    assert set(table.lengths) <= {8, 9}


@pytest.mark.parametrize(("counts", "symbol"), [({}, 0), ({17: 5}, 17)])
def test_one_symbol_or_none_takes_one_bit(counts, symbol):
    table = huffman.build(_histogram(counts))
    assert table.symbols == bytes([symbol])
    assert table.lengths[symbol] == 1
    assert table.codes[symbol] == 0


def test_order_of_symbols_with_equal_counts_is_fixed():
    counts = dict.fromkeys(range(30), 4)
    tables = [huffman.build(_histogram(dict(sorted(counts.items(), reverse=r)))) for r in (False, True)]
    assert tables[0].symbols == tables[1].symbols

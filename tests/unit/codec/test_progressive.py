"""What is written in progressive scans is what another reader reads, whatever the levels."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field

import mozjpeg_lossless_optimization
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from codec import progressive, transform, trellis
from codec.blocks import NONE, Band, Blocks
from codec.libjpeg import libjpeg_tables
from codec.scans import Scan
from codec.transform import Plane

MODES = ("grey", "4:2:0", "4:4:4")


class Bits:
    """The bits of a scan, stuffing taken out."""

    def __init__(self, data: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in data.replace(b"\xff\x00", b"\xff"))
        self._at = 0

    def take(self, count: int) -> int:
        self._at += count
        assert self._at <= len(self._bits)
        return int(self._bits[self._at - count : self._at] or "0", 2)

    def symbol(self, codes: dict[str, int]) -> int:
        start = self._at
        while self._bits[start : self._at] not in codes:
            self._at += 1
            assert self._at <= min(start + 16, len(self._bits))
        return codes[self._bits[start : self._at]]

    def value(self, size: int) -> int:
        bits = self.take(size)
        return bits if not size or bits >> (size - 1) else bits - 2**size + 1

    def assert_all_read(self) -> None:
        rest = self._bits[self._at :]
        assert len(rest) < 8
        assert set(rest) <= {"1"}


@dataclass
class File:
    """A progressive JPEG as the plain reader finds it: `levels` are those of the blocks with samples."""

    size: tuple[int, int]
    side: int
    tables: dict[int, np.ndarray]
    levels: list[np.ndarray]
    scans: list[tuple[int, ...]] = field(default_factory=list)
    stuffed: int = 0
    data_bytes: int = 0


def _code(counts: bytes, symbols: bytes) -> dict[str, int]:
    codes, code, at = {}, 0, 0
    for length, count in enumerate(counts, 1):
        for symbol in symbols[at : at + count]:
            codes[f"{code:0{length}b}"] = symbol
            code += 1
        at += count
        code <<= 1
        assert code <= 2 << length
    assert not any(set(code) == {"1"} for code in codes)
    return codes


def _read_dc(file: File, bits: Bits, codes: list[dict[str, int]], columns: int, rows: int) -> None:
    before = [0] * len(codes)
    for mcu in range(rows * columns):
        for number, code in enumerate(codes):
            side = file.side if number == 0 else 1
            for block in range(side * side):
                row, column = mcu // columns * side + block // side, mcu % columns * side + block % side
                before[number] += bits.value(bits.symbol(code))
                levels = file.levels[number]
                if row < levels.shape[0] and column < levels.shape[1]:
                    levels[row, column, 0] = before[number]


def _read_first(levels: np.ndarray, bits: Bits, code: dict[str, int], first: int, last: int, low: int) -> None:
    ended = 0
    for block in levels.reshape(-1, 64):
        assert not block[first : last + 1].any()
        if ended:
            ended -= 1
            continue
        k = first
        while k <= last:
            run, size = divmod(bits.symbol(code), 16)
            if size == 0 and run < 15:
                ended = (1 << run) + bits.take(run) - 1
                break
            k += run
            assert k <= last
            if size:
                block[k] = bits.value(size) * (1 << low)
            k += 1


def _correct(level: int, bits: Bits, low: int) -> int:
    return level + (bits.take(1) << low) * (1 if level > 0 else -1)


def _read_refinement(levels: np.ndarray, bits: Bits, code: dict[str, int], first: int, last: int, low: int) -> None:
    """T.81, figures G.7 and G.8, the other way round."""
    ended = 0
    for block in levels.reshape(-1, 64):
        k = first
        while k <= last and not ended:
            run, size = divmod(bits.symbol(code), 16)
            if size == 0 and run < 15:
                ended = (1 << run) + bits.take(run)
                break
            assert size in {0, 1}
            new = (1 if bits.take(1) else -1) * (1 << low) if size else 0
            while k <= last:
                if block[k]:
                    block[k] = _correct(block[k], bits, low)
                elif run == 0:
                    block[k] = new
                    k += 1
                    break
                else:
                    run -= 1
                k += 1
            else:
                raise AssertionError("a run goes past the end of the band")
        if ended:
            for position in range(k, last + 1):
                if block[position]:
                    block[position] = _correct(block[position], bits, low)
            ended -= 1


def _grid(file: File, number: int) -> tuple[int, int]:
    factor = file.side if number else 1
    rows, columns = (-(-length // (8 * factor)) for length in file.size)
    return rows, columns


def _read_scan(file: File, body: bytes, codes: dict[int, dict[str, int]], data: bytes) -> None:
    first, last, transforms = body[-3:]
    high, low = transforms >> 4, transforms & 15
    numbers = [body[1 + 2 * i] - 1 for i in range(body[0])]
    destinations = [body[2 + 2 * i] for i in range(body[0])]
    bits = Bits(data)
    if first == 0:
        assert (last, high, low) == (0, 0, 0)
        assert numbers == list(range(len(file.levels)))
        rows, columns = _grid(file, len(file.levels) - 1)
        _read_dc(file, bits, [codes[d >> 4] for d in destinations], columns, rows)
    else:
        read = _read_refinement if high else _read_first
        assert not high or high == low + 1
        read(file.levels[numbers[0]], bits, codes[0x10 | destinations[0] & 15], first, last, low)
    bits.assert_all_read()
    file.scans.append((*numbers, first, last, high, low))


def _data_end(jpeg: bytes, at: int) -> int:
    while True:
        at = jpeg.index(b"\xff", at)
        if jpeg[at + 1]:
            return at
        at += 2


def read_progressive(jpeg: bytes) -> File:
    """Read size, tables, and the levels of the blocks that hold samples."""
    assert jpeg[:2] == b"\xff\xd8"
    at = 2
    codes: dict[int, dict[str, int]] = {}
    file = File((0, 0), 1, {}, [])
    while jpeg[at : at + 2] != b"\xff\xd9":
        marker, length = struct.unpack(">HH", jpeg[at : at + 4])
        body = jpeg[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xFFDB:
            file.tables[body[0]] = np.frombuffer(body[1:65], np.uint8)
        elif marker == 0xFFC4:
            while body:
                count = sum(body[1:17])
                codes[body[0]] = _code(body[1:17], body[17 : 17 + count])
                body = body[17 + count :]
        elif marker == 0xFFC2:
            file.size = struct.unpack(">HH", body[1:5])
            file.side = body[7] & 15
            file.levels = [np.zeros((*_grid(file, number), 64), np.int64) for number in range(body[5])]
        elif marker == 0xFFDA:
            end = _data_end(jpeg, at)
            _read_scan(file, body, codes, jpeg[at:end])
            file.stuffed += jpeg[at:end].count(b"\xff\x00")
            file.data_bytes += end - at
            at = end
    assert at == len(jpeg) - 2
    return file


def _planes(size: tuple[int, int], mode: str) -> tuple[Plane, ...]:
    if mode != "4:4:4":
        return transform.to_planes(np.zeros(size if mode == "grey" else (*size, 3), np.uint8))
    rows, columns = (-(-length // 8) for length in size)
    return tuple(Plane(np.zeros((rows * columns, 64), np.float32), rows, columns) for _ in range(3))


def _tables(mode: str) -> tuple[np.ndarray, ...]:
    return libjpeg_tables(50)[: 1 if mode == "grey" else 2]


def _levels(planes: tuple[Plane, ...], density: float, largest: int, seed: int) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(seed)
    out = []
    for plane in planes:
        shape = (plane.rows * plane.columns, 64)
        levels = np.where(random.random(shape) < density, random.integers(-largest, largest + 1, shape), 0)
        # Whole stretches of blocks are empty, as in pictures.
        levels[random.random(shape[0]) < 0.3] = 0
        levels[:, 0] = random.choice([-1024, -1, 0, 7, 1023], shape[0])
        out.append(levels.astype(np.int16))
    return tuple(out)


def _with_samples(size: tuple[int, int], planes: tuple[Plane, ...], levels: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    side = planes[0].columns // planes[-1].columns
    found = []
    for number, (plane, part) in enumerate(zip(planes, levels, strict=True)):
        rows, columns = (-(-length // (8 * (side if number else 1))) for length in size)
        found.append(part.reshape(plane.rows, plane.columns, 64)[:rows, :columns])
    return found


contents = given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.sampled_from(MODES),
    st.sampled_from([0, 0.003, 0.02, 0.1, 0.6, 1]),
    st.sampled_from([1, 2, 3, 7, 15, 1023]),
    st.integers(0, 9999),
)


@settings(max_examples=80, deadline=None, derandomize=True)
@contents
def test_a_reader_finds_the_levels_that_were_written(size, mode, density, largest, seed):
    planes = _planes(size, mode)
    levels = _levels(planes, density, largest, seed)
    file = read_progressive(progressive.write(size, planes, _tables(mode), levels))
    assert file.size == size
    assert file.side == (2 if mode == "4:2:0" else 1)
    assert list(file.tables) == ([0] if mode == "grey" else [0, 1])
    for number, table in enumerate(_tables(mode)):
        assert np.array_equal(file.tables[number], table)
    for written, found in zip(_with_samples(size, planes, levels), file.levels, strict=True):
        assert np.array_equal(found, written)


@pytest.mark.parametrize("high", [NONE, 1])
def test_an_end_of_band_stands_for_at_most_32767_blocks(high):
    # 40 940 blocks, of which only the last holds anything that is new; in a refinement some add correction bits.
    levels = np.zeros((5 * 8188, 64), np.int16)
    levels[-1, 3] = -1
    if high == 1:
        levels[::1000, 5] = 3
    tokens = Blocks(levels, 8188, (5, 8188)).scan(Band(1, 63, high, 0))
    ends = {int(symbol): int(count) for symbol, count in enumerate(tokens.counts[0, :256]) if count and symbol != 0x21}
    # 40 939 = 32 767 + 8172, and the last block, which ends after its level.
    assert ends == {0xE0: 1, 0xC0: 1, 0x00: 1}
    assert tokens.counts[0, 256] == (41 if high == 1 else 0)


@pytest.mark.parametrize("level", [0, 3])
def test_long_empty_stretches_are_read_back(level):
    size = (40, 65500)
    planes = _planes(size, "grey")
    levels = np.zeros((planes[0].rows * planes[0].columns, 64), np.int16)
    levels[-1, 63] = level
    file = read_progressive(progressive.write(size, planes, _tables("grey"), (levels,)))
    assert np.array_equal(file.levels[0].reshape(-1, 64), levels)


def _forced(cuts: set[int], low: int, components: int) -> list[list[Scan]]:
    """Bands between the cuts, then refinements; all scans of a component share a code."""
    starts = sorted(cuts | {1})
    bands = [Band(start, end - 1, low=low) for start, end in zip(starts, [*starts[1:], 64], strict=True)]
    bands += [Band(1, 40, high, high - 1) for high in range(low, 0, -1)]
    bands += [Band(41, 63, high, high - 1) for high in range(low, 0, -1)]
    return [[Scan(number, band) for band in bands] for number in range(components)]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.sampled_from(MODES),
    st.sampled_from([0.003, 0.02, 0.1, 0.6, 1]),
    st.sampled_from([1, 2, 3, 7, 15, 1023]),
    st.sets(st.integers(1, 63), max_size=4),
    st.integers(1, 3),
)
def test_refinements_of_any_bands_are_read_back(size, mode, density, largest, cuts, low):
    planes = _planes(size, mode)
    levels = _levels(planes, density, largest, low)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progressive, "choose", lambda blocks: _forced(cuts, low, len(blocks)))
        data = progressive.write(size, planes, _tables(mode), levels)
    file = read_progressive(data)
    for written, found in zip(_with_samples(size, planes, levels), file.levels, strict=True):
        assert np.array_equal(found, written)
    with Image.open(io.BytesIO(data)) as image:
        again = np.asarray(image)
    plain = np.asarray(Image.open(io.BytesIO(progressive.write(size, planes, _tables(mode), levels))))
    assert np.array_equal(again, plain)


def test_scans_that_share_a_code_define_it_once():
    size = (64, 64)
    planes = _planes(size, "4:4:4")
    levels = (_levels(planes, 0.05, 1, 1)[0],) * 3
    data = progressive.write(size, planes, _tables("4:4:4"), levels)
    assert len(read_progressive(data).scans) >= 4
    assert data.count(b"\xff\xc4") == 2


@pytest.mark.parametrize("name", ["coffee", "camera", "text", "gradient", "noise", "black"])
def test_pictures_take_about_as_few_bytes_as_a_search_of_all_scans_finds(picture, name):
    pixels = picture(name)
    planes = transform.to_planes(pixels)
    tables = _tables("grey" if pixels.ndim == 2 else "4:2:0")
    levels = tuple(trellis.nearest(plane.coefficients, tables[min(number, 1)]) for number, plane in enumerate(planes))
    data = progressive.write(pixels.shape[:2], planes, tables, levels)
    assert data == progressive.write(pixels.shape[:2], planes, tables, levels)
    assert len(data) <= 1.01 * len(mozjpeg_lossless_optimization.optimize(data))


def test_blocks_without_samples_repeat_the_one_before_in_their_mcu():
    levels = np.zeros((4 * 6, 64), np.int16)
    levels[:, 0] = range(24)
    dc = Blocks(levels, 6, (3, 5)).dc()
    assert dc.tolist() == [
        [0, 1, 2, 3, 4, 4],
        [6, 7, 8, 9, 10, 10],
        [12, 13, 14, 15, 16, 16],
        [13, 13, 15, 15, 16, 16],
    ]


def test_blocks_without_samples_cost_nothing():
    size = (8, 8)
    planes = _planes(size, "4:2:0")
    empty = tuple(np.zeros((plane.rows * plane.columns, 64), np.int16) for plane in planes)
    full = (empty[0].copy(), *empty[1:])
    full[0][1:] = 900
    tables = _tables("4:2:0")
    assert progressive.write(size, planes, tables, full) == progressive.write(size, planes, tables, empty)

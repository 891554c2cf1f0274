"""What the tests of the codec share: pictures, and a reader of baseline JPEG that gives back the levels of a file."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data


def _text() -> np.ndarray:
    page = Image.new("RGB", (200, 120), "white")
    draw = ImageDraw.Draw(page)
    for line in range(9):
        draw.text((4, 13 * line), f"{line}: the quick brown fox jumps over it", fill=(0, 0, 40 * (line % 4)))
    return np.asarray(page)


def _gradient() -> np.ndarray:
    y, x = np.mgrid[0:97, 0:131]
    return np.stack((y * 2, x + 60, 255 - x - y // 2), axis=2).astype(np.uint8)


PICTURES = {
    "coffee": data.coffee,
    "astronaut": lambda: data.astronaut()[:384, :400],
    "cat": lambda: data.cat()[:299, :397],
    "camera": lambda: data.camera()[100:401, 60:370],
    "text": _text,
    "gradient": _gradient,
    "noise": lambda: np.random.default_rng(1).integers(0, 256, (90, 75, 3), dtype=np.uint8),
    "black": lambda: np.zeros((33, 47, 3), np.uint8),
    "white": lambda: np.full((16, 16), 255, np.uint8),
    "plain": lambda: np.full((40, 40, 3), (12, 200, 90), np.uint8),
}


@pytest.fixture(scope="session")
def picture():
    """Return a picture by its name."""
    cache: dict[str, np.ndarray] = {}

    def find(name: str) -> np.ndarray:
        if name not in cache:
            cache[name] = np.ascontiguousarray(PICTURES[name]())
        return cache[name]

    return find


class Bits:
    """The bits of a scan, stuffing taken out."""

    def __init__(self, scan: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in scan.replace(b"\xff\x00", b"\xff"))
        self._at = 0

    def take(self, count: int) -> str:
        self._at += count
        assert self._at <= len(self._bits)
        return self._bits[self._at - count : self._at]

    def symbol(self, codes: dict[str, int]) -> int:
        code = ""
        while code not in codes:
            code += self.take(1)
            assert len(code) <= 16
        return codes[code]

    def value(self, size: int) -> int:
        if size == 0:
            return 0
        bits = self.take(size)
        return int(bits, 2) if bits[0] == "1" else int(bits, 2) - 2**size + 1

    def rest(self) -> str:
        return self._bits[self._at :]


def _codes(counts: bytes, symbols: bytes) -> dict[str, int]:
    codes, code, at = {}, 0, 0
    for length, count in enumerate(counts, 1):
        for symbol in symbols[at : at + count]:
            codes[f"{code:0{length}b}"] = symbol
            code += 1
        at += count
        code <<= 1
    return codes


def read_baseline(jpeg: bytes) -> tuple[tuple[int, int], dict[int, np.ndarray], list[np.ndarray]]:
    """Return size (height, width), quantisation tables by number, and levels `[rows, columns, 64]` per component."""
    assert jpeg[:2] == b"\xff\xd8"
    assert jpeg[-2:] == b"\xff\xd9"
    at = 2
    tables: dict[int, np.ndarray] = {}
    huffman: dict[int, dict[str, int]] = {}
    size, components = (0, 0), []
    while True:
        marker, length = struct.unpack(">HH", jpeg[at : at + 4])
        body = jpeg[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xFFDB:
            tables[body[0]] = np.frombuffer(body[1:65], np.uint8)
        elif marker == 0xFFC4:
            while body:
                count = sum(body[1:17])
                huffman[body[0]] = _codes(body[1:17], body[17 : 17 + count])
                body = body[17 + count :]
        elif marker == 0xFFC0:
            size = struct.unpack(">HH", body[1:5])
            components = [(body[7 + 3 * i] >> 4, body[7 + 3 * i] & 15) for i in range(body[5])]
        elif marker == 0xFFDA:
            selectors = [body[2 + 2 * i] for i in range(body[0])]
            break
    bits = Bits(jpeg[at:-2])
    widest = max(h for h, _ in components)
    tallest = max(v for _, v in components)
    rows, columns = -(-size[0] // (8 * tallest)), -(-size[1] // (8 * widest))
    levels = [np.zeros((rows * v, columns * h, 64), int) for h, v in components]
    dc = [0] * len(components)
    for mcu in range(rows * columns):
        for number, (h, v) in enumerate(components):
            for block in range(h * v):
                row, column = mcu // columns * v + block // h, mcu % columns * h + block % h
                dc[number] += bits.value(bits.symbol(huffman[selectors[number] >> 4]))
                _read_ac(bits, huffman[0x10 | (selectors[number] & 15)], levels[number][row, column])
                levels[number][row, column, 0] = dc[number]
    assert len(bits.rest()) < 8
    assert set(bits.rest()) <= {"1"}
    return size, tables, levels


def _read_ac(bits: Bits, codes: dict[str, int], out: np.ndarray) -> None:
    k = 1
    while k < 64:
        symbol = bits.symbol(codes)
        if symbol == 0:
            return
        k += symbol >> 4
        if symbol != 0xF0:
            out[k] = bits.value(symbol & 15)
            assert out[k]
        k += 1
    assert k == 64


@pytest.fixture(scope="session")
def read():
    """Return the reader: file to size, quantisation tables and levels."""
    return read_baseline

"""What is uploaded: small real pictures under odd names, some of them overwritten, some of them no pictures at all."""

from __future__ import annotations

import hashlib
import io
import random
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from PIL import Image

PREFIX = "in/"
"""The watched prefix of the source bucket."""

_PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "ihc.png", "motorcycle_left.png", "rocket.jpg", "retina.jpg")
_FORMATS = (("png", "PNG"), ("jpg", "JPEG"), ("JPEG", "JPEG"), ("webp", "WEBP"), ("png", "PNG"))
_NAMES = (
    "plain {}", "two  spaces {}", "a+b {}", "100%25 {}", "50% {}", "ü–日本 {}", "🐱 {}", "q?x=1&y {}", "hash#{}",
    "quote'\"{}", "deep/er/{}", "dots...{}", "semi;colon,{}", "[{}]", "~tilde~{}", "(paren) {}", "at@{}",
    "x" * 600 + "{}", "double//{}", "e\u0301 {}", "back`tick {}", "=equals={}", "{}!$",
)  # fmt: skip
_STAMPS = ((230, 30, 30), (30, 200, 30), (40, 40, 230), (230, 220, 30), (220, 40, 220), (30, 210, 220))
"""A version's number is the colour of the square in the middle of its picture."""

_BAD_SHARE = 0.03
_BURSTS = 8
"""The first versions come in so many bursts, each of which is long at work; later versions come at any time."""

_OVERWRITTEN_SHARE = 0.1
_LARGE_SHARE = 0.004
_SMALL_PX = (64, 300)
_LARGE_PX = (1400, 2200)
_FLAWS = ("text", "empty", "cut-png", "cut-jpeg", "animation", "huge")
_CODES = {
    "text": "not-an-image",
    "empty": "not-an-image",
    "cut-png": "damaged-image",
    "cut-jpeg": "damaged-image",
    "animation": "unsupported-image",
    "huge": "too-large",
}


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one object.

    Attributes:
        key: The whole key.
        number: 0 for the first.
        kind: The format as Pillow calls it, or the flaw of a bad file.
        width: Pixels; nought for a bad file.
        height: Pixels; nought for a bad file.
        seed: Of all that is random in it.
    """

    key: str
    number: int
    kind: str
    width: int
    height: int
    seed: int

    @property
    def code(self) -> str | None:
        """The code of the failure that a bad file has to end with; None for a picture."""
        return _CODES.get(self.kind)

    @property
    def data(self) -> bytes:
        """The file, the same at every call."""
        return _bad_file(self) if self.code else _encoded(self.pixels, self.kind)

    @property
    def etag(self) -> str:
        """The entity tag that an object store gives the file."""
        return _etag(self)

    @property
    def pixels(self) -> np.ndarray:
        """The picture before it became a file, uint8 `[h, w, 3]`, stamped with the version's colour."""
        rng = random.Random(self.seed)  # noqa: S311 - a seed is what is wanted
        photo = _photo(rng.choice(_PHOTOS))
        scale = max(1.0, self.width / photo.width, self.height / photo.height)
        if scale > 1:
            photo = photo.resize((round(photo.width * scale) + 1, round(photo.height * scale) + 1))
        left, top = rng.randint(0, photo.width - self.width), rng.randint(0, photo.height - self.height)
        pixels = np.array(photo.crop((left, top, left + self.width, top + self.height)))
        pixels[middle(self.height, self.width)] = stamp(self.number)
        return pixels


@dataclass(frozen=True, slots=True)
class Write:
    """An upload, `at` of the way through the time of mayhem (0..1)."""

    at: float
    version: Version


def plan(objects: int, seed: int) -> list[Write]:
    """Decide on all uploads, in their order; a key's versions follow one another."""
    rng = random.Random(seed)  # noqa: S311 - a seed is what is wanted
    writes = []
    for index in range(objects):
        first = _version(rng, index, 0, rng.choice(_NAMES), bad=rng.random() < _BAD_SHARE)
        at = rng.randrange(_BURSTS) / _BURSTS * 0.7
        writes.append(Write(at, first))
        if rng.random() < _OVERWRITTEN_SHARE:
            for number in range(1, 2 + (rng.random() < 1 / 3)):
                at = rng.uniform(at, 0.95)
                writes.append(Write(at, _successor(rng, first, number)))
    return sorted(writes, key=lambda write: write.at)


def newest(writes: list[Write]) -> dict[str, Version]:
    """Return the last version of each key."""
    return {write.version.key: write.version for write in writes}


def stamp(number: int) -> tuple[int, int, int]:
    """Return the colour of a version."""
    return _STAMPS[number % len(_STAMPS)]


def nearest_stamp(colour: np.ndarray) -> int:
    """Return the version number whose colour is the nearest."""
    return int(np.abs(np.array(_STAMPS) - colour).sum(axis=1).argmin())


def middle(height: int, width: int) -> tuple[slice, slice]:
    """Return rows and columns of the stamped square."""
    side = min(height, width) // 4
    top, left = (height - side) // 2, (width - side) // 2
    return slice(top, top + side), slice(left, left + side)


def _version(rng: random.Random, index: int, number: int, name: str, *, bad: bool) -> Version:
    seed = rng.getrandbits(32)
    if bad:
        kind = rng.choice(_FLAWS)
        return Version(f"{PREFIX}{name.format(index)}.png", number, kind, 0, 0, seed)
    suffix, kind = rng.choice(_FORMATS)
    span = _LARGE_PX if rng.random() < _LARGE_SHARE else _SMALL_PX
    return Version(f"{PREFIX}{name.format(index)}.{suffix}", number, kind, rng.randint(*span), rng.randint(*span), seed)


def _successor(rng: random.Random, first: Version, number: int) -> Version:
    """Make a later version: of the same or of another size; now and then what was bad is mended, or the other way."""
    fresh = _version(rng, 0, number, "{}", bad=rng.random() < _BAD_SHARE)
    if fresh.code is None and first.code is None and rng.random() < 0.5:
        return Version(first.key, number, first.kind, first.width, first.height, fresh.seed)
    return Version(first.key, number, fresh.kind, fresh.width, fresh.height, fresh.seed)


def _encoded(pixels: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    options = {} if kind == "PNG" else {"quality": 90}
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def _bad_file(version: Version) -> bytes:
    rng = random.Random(version.seed)  # noqa: S311 - a seed is what is wanted
    picture = np.array(_photo("chelsea.png").crop((100, 60, 100 + rng.randint(90, 200), 200)))
    match version.kind:
        case "text":
            return f"no picture at all, {version.seed}\n".encode() * 20
        case "empty":
            return b""
        case "cut-png":
            data = _encoded(picture, "PNG")
            return data[: len(data) * 2 // 3]
        case "cut-jpeg":
            data = _encoded(picture, "JPEG")
            return data[: len(data) // 2]
        case "animation":
            file = io.BytesIO()
            frames = [Image.fromarray(np.roll(picture, 9 * n, axis=1)) for n in range(3)]
            frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
            return file.getvalue()
        case _:
            return _huge_png(version.seed)


def _huge_png(seed: int) -> bytes:
    """Return a PNG whose header announces 3.6 gigapixels, and which holds next to nothing."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(struct.pack(">I", seed) * 50)), (b"IEND", b""))
    body = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


@cache
def _etag(version: Version) -> str:
    return hashlib.md5(version.data, usedforsecurity=False).hexdigest()


@cache
def _photo(name: str) -> Image.Image:
    return Image.open(str(files("skimage.data") / name)).convert("RGB")

"""Which mask, and which map, belongs to which picture."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from config.errors import ConfigurationError
from semjpeg.benchmark.pictures import find

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pair:
    """The files of one picture.

    mask: white where the objects are.
    map: a ready-made map; None where the network makes it.
    """

    picture: Path
    mask: Path
    map: Path | None = None


@dataclass(frozen=True, slots=True)
class Pairing:
    """What two folders have in common, in the order of the masks, and what stands alone in them."""

    pairs: list[Pair]
    pictures_without_mask: list[Path]
    masks_without_picture: list[Path]


def pair_up(images: Path, masks: Path, maps: Path | None, limit: int | None) -> Pairing:
    """Pair pictures with the masks, and the maps, of the same stem; none of the folders is searched below.

    Stems are compared in Unicode's composed form, since some file systems decompose the names that they are given.

    Args:
        images: Folder of pictures of any format.
        masks: Folder of `STEM.png`. It may be the folder of the pictures, where these have another suffix.
        maps: Folder of `STEM.png`; one that is missing is found out when it is read. None where there are none.
        limit: Take this many of the pairs, at even distances.

    Raises:
        ConfigurationError: A folder is missing or without pictures, two pictures have one stem, or no picture has a
            mask.
    """
    mask_files = _by_stem(masks)
    map_files = {} if maps is None else _by_stem(maps)
    pictures: dict[str, Path] = {}
    own = set(mask_files.values())
    for path in find(images.resolve(), None):
        if path in own:
            continue
        other = pictures.setdefault(_composed(path), path)
        if other is not path:
            raise ConfigurationError(
                f"{other.name} and {path.name} in {images} would both have the mask {path.stem}.png"
            )
    pairs = [
        Pair(pictures[stem], mask, None if maps is None else map_files.get(stem, maps / f"{stem}.png"))
        for stem, mask in mask_files.items()
        if stem in pictures
    ]
    if not pairs:
        raise ConfigurationError(f"no picture in {images} has a mask in {masks}: a.jpg needs a.png")
    if limit is not None and limit < len(pairs):
        pairs = [pairs[number * len(pairs) // limit] for number in range(limit)]
    return Pairing(
        pairs,
        [path for stem, path in pictures.items() if stem not in mask_files],
        [path for stem, path in mask_files.items() if stem not in pictures],
    )


def _by_stem(folder: Path) -> dict[str, Path]:
    files = sorted(path for path in folder.resolve().iterdir() if path.suffix.lower() == ".png")
    return {_composed(path): path for path in files}


def _composed(path: Path) -> str:
    return unicodedata.normalize("NFC", path.stem)

"""The photographs that the demo uploads."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from config.errors import ConfigurationError
from config.objects import ObjectVersion
from producer.candidates import is_candidate

_BUNDLED = (
    "astronaut.png", "camera.png", "chelsea.png", "coffee.png", "coins.png", "hubble_deep_field.jpg", "moon.png",
    "motorcycle_left.png", "retina.jpg", "rocket.jpg",
)  # fmt: skip
"""The photographs among the pictures that scikit-image carries."""


def find_photos(folder: Path | None) -> tuple[dict[str, Path], list[Path]]:
    """Find what to upload.

    Args:
        folder: Searched with its subfolders; None means the photographs that scikit-image carries.

    Returns:
        Files by key (the path in the folder), and the files that are left out because they have no image's suffix.

    Raises:
        ConfigurationError: There is no such folder, or no image in it.
    """
    if folder is None:
        data = Path(str(files("skimage.data")))
        return {name: data / name for name in _BUNDLED}, []
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    keys = {path.relative_to(folder).as_posix(): path for path in paths}
    photos = {key: path for key, path in keys.items() if is_candidate(ObjectVersion(key, "", path.stat().st_size))}
    if not photos:
        raise ConfigurationError(f"{folder} holds no image")
    return photos, [path for key, path in keys.items() if key not in photos]

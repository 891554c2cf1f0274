"""What `semjpeg benchmark` measures: our encoder beside the others, on any folder of pictures."""

from __future__ import annotations

from importlib.util import find_spec

PACKAGES = ("jpeglib", "matplotlib", "pyjpegli")
"""What the extra `benchmark` brings beside what a worker has."""


def require_packages() -> None:
    """See that everything is installed before hours of work begin.

    Raises:
        ModuleNotFoundError: A package is missing; its `name` tells which.
    """
    for name in PACKAGES:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

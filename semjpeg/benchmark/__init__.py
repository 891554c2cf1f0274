"""What `semjpeg benchmark` measures: our encoder beside the others, on any folder of pictures."""

from __future__ import annotations

from importlib.util import find_spec

PACKAGES = ("jpeglib", "matplotlib", "pyjpegli", "scipy", "sewar", "ssimulacra2")
"""What the extra `benchmark` brings and nothing else here uses."""


def require_packages() -> None:
    """See that everything is installed before hours of work begin.

    Raises:
        ModuleNotFoundError: A package is missing; its `name` tells which.
    """
    for name in PACKAGES:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

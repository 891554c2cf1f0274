"""Smaller standard JPEGs that look better where people look.

Example:
    >>> import semjpeg
    >>> jpeg = semjpeg.compress(open("photo.png", "rb").read(), quality=75)
    >>> importance = semjpeg.importance_map(open("photo.png", "rb").read())
"""

from semjpeg.api import compress, importance_map

__all__ = ["compress", "importance_map"]

"""What a picture may cost: the targets that the encoder can be given."""

from __future__ import annotations

from dataclasses import dataclass

from codec.arguments import check_whole


@dataclass(frozen=True, slots=True)
class Quality:
    """Where the map says it matters at least as good as libjpeg at `quality` (1 to 100), and as small as that allows.

    Raises:
        TypeError: `quality` is no int.
        ValueError: `quality` is outside 1..100.
    """

    quality: int

    def __post_init__(self) -> None:
        """Check the range."""
        check_whole("quality", self.quality, 1, 100)


@dataclass(frozen=True, slots=True)
class MatchJpeg:
    """As many bytes as libjpeg's plain file at `quality` (1 to 100) takes, within 1 %, and as good as that allows.

    An ICC profile and EXIF come on top. A picture that cannot use so many bytes gets fewer.

    Raises:
        TypeError: `quality` is no int.
        ValueError: `quality` is outside 1..100.
    """

    quality: int

    def __post_init__(self) -> None:
        """Check the range."""
        check_whole("quality", self.quality, 1, 100)


@dataclass(frozen=True, slots=True)
class TargetBytes:
    """At most `size_bytes` (1 or more) for the whole file, and as good as that allows.

    Raises:
        TypeError: `size_bytes` is no int.
        ValueError: `size_bytes` is less than 1.
    """

    size_bytes: int

    def __post_init__(self) -> None:
        """Check the range."""
        check_whole("size_bytes", self.size_bytes, 1, None)


Rate = Quality | MatchJpeg | TargetBytes
"""What `encode` can be told to aim for."""

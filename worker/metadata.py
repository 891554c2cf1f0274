"""What of a source's EXIF data a result carries."""

from __future__ import annotations

import struct

from PIL import ExifTags, Image

from config.recipes import MetadataPolicy

_SAFE_TAGS = (ExifTags.Base.Artist, ExifTags.Base.Copyright)
_DESCRIPTIVE_TAGS = (
    *_SAFE_TAGS,
    ExifTags.Base.DateTime,
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.ResolutionUnit,
    ExifTags.Base.Software,
    ExifTags.Base.XResolution,
    ExifTags.Base.YResolution,
)
"""Tags of the first directory that describe the picture; the others describe how its file was laid out."""
_MAKER_NOTE = ExifTags.Base.MakerNote
UPRIGHT = 1
"""The orientation of pixels that are stored as they are shown (EXIF 2.32, table 6)."""

UNWRITABLE = (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, struct.error)
"""What Pillow raises for tags whose garbled values cannot be written back."""

MAX_EXIF_BYTES = 65_527
"""What one APP1 segment holds after its length and the six bytes `Exif\\0\\0` (T.81 B.2.4.6)."""


def exif_for(policy: MetadataPolicy, source: Image.Exif, *, orientation: int = UPRIGHT) -> bytes | None:
    """Return the TIFF block for an APP1 segment, without its `Exif` signature; None for no segment.

    Thumbnails are always left out: they would show the picture as it was before any later edit. A maker note is left
    out too: its offsets point into the file that it came from, and it may hold a preview. What is garbled or too long
    for one segment is dropped, down to the next narrower policy.

    Args:
        policy: What may be kept.
        source: The EXIF data of the source.
        orientation: How a viewer must turn the pixels that are written, 1..8.
    """
    kept = Image.Exif()
    for tag in {MetadataPolicy.KEEP: _DESCRIPTIVE_TAGS, MetadataPolicy.SAFE: _SAFE_TAGS}.get(policy, ()):
        if tag in source:
            kept[tag] = source[tag]
    if policy is MetadataPolicy.KEEP:
        for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            values = {tag: value for tag, value in source.get_ifd(directory).items() if tag != _MAKER_NOTE}
            if values:
                kept[directory] = values
    if orientation != UPRIGHT:
        kept[ExifTags.Base.Orientation] = orientation
    if not len(kept):
        return None
    try:
        block = kept.tobytes().removeprefix(b"Exif\0\0")
    except UNWRITABLE:
        block = b""
    if 0 < len(block) <= MAX_EXIF_BYTES:
        return block
    narrower = MetadataPolicy.SAFE if policy is MetadataPolicy.KEEP else MetadataPolicy.NONE
    return None if policy is MetadataPolicy.NONE else exif_for(narrower, source, orientation=orientation)

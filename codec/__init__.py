"""The semantic JPEG encoder and its quality metrics: arrays in, bytes or numbers out."""

from codec.encode import DEFAULT_QUALITY, DEFAULT_STRENGTH, Encoded, encode
from codec.metrics import Metrics, libjpeg_bytes, measure
from codec.rate import MatchJpeg, Quality, Rate, TargetBytes

__all__ = [
    "DEFAULT_QUALITY",
    "DEFAULT_STRENGTH",
    "Encoded",
    "MatchJpeg",
    "Metrics",
    "Quality",
    "Rate",
    "TargetBytes",
    "encode",
    "libjpeg_bytes",
    "measure",
]

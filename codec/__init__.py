"""The semantic JPEG encoder and its quality metrics: arrays in, bytes or numbers out."""

from codec.aims import AIMS, DEFAULT_AIM, Aim
from codec.cells import cell_means
from codec.encode import DEFAULT_METHOD, DEFAULT_QUALITY, DEFAULT_STRENGTH, METHODS, Encoded, Method, encode
from codec.metrics import FullMetrics, Metrics, libjpeg_bytes, measure, measure_full
from codec.mosaic import MIXINGS, Mixing, Mosaic
from codec.rate import MatchJpeg, Quality, Rate, TargetBytes

__all__ = [
    "AIMS",
    "DEFAULT_AIM",
    "DEFAULT_METHOD",
    "DEFAULT_QUALITY",
    "DEFAULT_STRENGTH",
    "METHODS",
    "MIXINGS",
    "Aim",
    "Encoded",
    "FullMetrics",
    "MatchJpeg",
    "Method",
    "Metrics",
    "Mixing",
    "Mosaic",
    "Quality",
    "Rate",
    "TargetBytes",
    "cell_means",
    "encode",
    "libjpeg_bytes",
    "measure",
    "measure_full",
]

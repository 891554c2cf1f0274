"""The columns of the table that `semjpeg report --parquet` writes: kind, unit and meaning of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["string", "category", "time", "whole", "number", "truth"]
"""A category is a string of which there are few, kept in a dictionary."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column; those that need not have a value are `nullable`."""

    kind: Kind
    unit: str
    meaning: str
    nullable: bool = True


def _measure(unit: str, meaning: str) -> Column:
    return Column("number", unit, f"{meaning}, result against source")


def _stage(meaning: str) -> Column:
    return Column("number", "s", meaning)


COLUMNS: Final = {
    "status": Column("category", "", "done or failed", nullable=False),
    "run": Column("category", "", "name of the run", nullable=False),
    "bucket": Column("category", "", "bucket of the source", nullable=False),
    "key": Column("string", "", "key of the source", nullable=False),
    "etag": Column("string", "", "entity tag of the source", nullable=False),
    "version": Column("string", "", "version id of the source, where its bucket keeps versions"),
    "output": Column("category", "", "output place, as a URL", nullable=False),
    "finished": Column("time", "ms", "when the work on the image ended, UTC", nullable=False),
    "semjpeg": Column("category", "", "version of semjpeg", nullable=False),
    "recipe_name": Column("category", "", "name of the recipe", nullable=False),
    "recipe": Column("category", "", "options of the recipe, as JSON", nullable=False),
    "bytes_in": Column("whole", "bytes", "size of the source", nullable=False),
    "result": Column("string", "", "key of the result in the output bucket"),
    "recipe_hash": Column("category", "", "SHA-256 of the recipe's options"),
    "model_hash": Column("category", "", "SHA-256 of the network's weights"),
    "job": Column("string", "", "identity of the job, which its result bears as user metadata"),
    "format": Column("category", "", "format of the source"),
    "width_px": Column("whole", "pixels", "width of the source"),
    "height_px": Column("whole", "pixels", "height of the source"),
    "bytes_out": Column("whole", "bytes", "size of the result"),
    "bytes_libjpeg": Column("whole", "bytes", "size of libjpeg's file at the quality that the recipe names"),
    "kept_coefficients": Column("truth", "", "whether the result holds its source's own coefficients"),
    "psnr": _measure("dB", "peak signal-to-noise ratio of luma"),
    "psnr_s": _measure("dB", "the same over the fifth of the picture that matters most"),
    "psnr_hvs": _measure("dB", "PSNR-HVS of luma"),
    "psnr_hvs_m": _measure("dB", "PSNR-HVS-M of luma"),
    "ssim": _measure("−1 to 1", "structural similarity of luma"),
    "ms_ssim": _measure("0 to 1", "the same over several scales"),
    "vifp": _measure("ratio, 1 for equal pictures", "visual information fidelity of luma, in the pixel domain"),
    "ssimulacra2": _measure("points, at most 100", "SSIMULACRA2"),
    "fetch_s": _stage("fetching the source"),
    "probe_s": _stage("finding out what it is"),
    "decode_s": _stage("decoding it"),
    "map_s": _stage("its importance map, waiting for a batch included"),
    "encode_s": _stage("encoding the result"),
    "verify_s": _stage("decoding the result and comparing it"),
    "metrics_s": _stage("the measures that every image has"),
    "full_metrics_s": _stage("the measures of sampled images"),
    "libjpeg_s": _stage("libjpeg's file for comparison"),
    "total_s": _stage("all of it"),
    "code": Column("category", "", "why it failed, as a word"),
    "reason": Column("string", "", "why it failed, as a sentence"),
    "attempts": Column("whole", "attempts", "how often it was tried before it was recorded as failed"),
}
"""By name, in the order of the fields of `Row`."""

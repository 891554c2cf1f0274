"""One row for each record: the columns of the table that `semjpeg report --parquet` writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from config.errors import DamagedRecordError
from semjpeg.report.values import maybe, moment, numbers, positive, table, text, truth, whole
from worker.records import SCHEMA

if TYPE_CHECKING:
    from datetime import datetime

MEASURES: Final = ("psnr", "psnr_s", "psnr_hvs", "psnr_hvs_m", "ssim", "ms_ssim", "vifp", "ssimulacra2")
"""Columns of quality; a record has them under `metrics`."""

STAGES: Final = (
    *("fetch", "probe", "decode", "map", "encode", "verify", "metrics", "full_metrics", "libjpeg"),
    "total",
)
"""Stages of the work; a record has them under `seconds`, a row with `_s` behind."""

_STAGE_COLUMNS: Final = tuple(f"{stage}_s" for stage in STAGES)


@dataclass(frozen=True, slots=True)
class Row:
    """What one record says, flat. What a record does not have is None.

    Units stand in the names: `_s` seconds, `_px` pixels, `bytes_` bytes. Measures are those of `codec.Metrics` and
    `codec.FullMetrics`: dB where the name begins with `psnr`.
    """

    status: str
    """`done` or `failed`."""
    run: str
    bucket: str
    key: str
    etag: str
    version: str | None
    output: str
    """The output place, as a URL."""
    finished: datetime
    semjpeg: str
    """Version of semjpeg."""
    recipe_name: str
    recipe: str
    """The recipe's options as canonical JSON."""
    bytes_in: int
    result: str | None = None
    """The result's key in the output bucket."""
    recipe_hash: str | None = None
    model_hash: str | None = None
    job: str | None = None
    format: str | None = None
    width_px: int | None = None
    height_px: int | None = None
    bytes_out: int | None = None
    bytes_libjpeg: int | None = None
    kept_coefficients: bool | None = None
    psnr: float | None = None
    psnr_s: float | None = None
    psnr_hvs: float | None = None
    psnr_hvs_m: float | None = None
    ssim: float | None = None
    ms_ssim: float | None = None
    vifp: float | None = None
    ssimulacra2: float | None = None
    fetch_s: float | None = None
    probe_s: float | None = None
    decode_s: float | None = None
    map_s: float | None = None
    encode_s: float | None = None
    verify_s: float | None = None
    metrics_s: float | None = None
    full_metrics_s: float | None = None
    libjpeg_s: float | None = None
    total_s: float | None = None
    code: str | None = None
    """Why it failed, as a word."""
    reason: str | None = None
    """Why it failed, as a sentence."""
    attempts: int | None = None

    @classmethod
    def of(cls, record: Any) -> Row:
        """Read a record; fields that it has besides are left out.

        Raises:
            DamagedRecordError: It is no record, or a value cannot be; the message names it.
        """
        if type(record) is not dict:
            raise DamagedRecordError("is no JSON object")
        if record.get("schema") != SCHEMA:
            raise DamagedRecordError(f"has the schema {ascii(record.get('schema'))[:20]}; this semjpeg reads {SCHEMA}")
        status = text(record, "status")
        if status not in _SPECIAL:
            raise DamagedRecordError(f"has the status {ascii(status)[:20]}, which is neither done nor failed")
        recipe = dict(table(record, "recipe"))
        return cls(
            status=status,
            run=text(record, "run"),
            bucket=text(record, "bucket"),
            key=text(record, "key"),
            etag=text(record, "etag"),
            version=maybe(text, record, "version"),
            output=text(record, "output"),
            finished=moment(record, "finished"),
            semjpeg=text(record, "semjpeg"),
            recipe_name=text({"recipe.name": recipe.pop("name", None)}, "recipe.name"),
            recipe=json.dumps(recipe, sort_keys=True),
            bytes_in=whole(record, "bytes_in"),
            **_SPECIAL[status](record),
        )


def _finished(record: dict[str, Any]) -> dict[str, Any]:
    """Read what only the record of a finished image has."""
    positive(record, "bytes_in")
    metrics = maybe(table, record, "metrics") or {}
    seconds = maybe(table, record, "seconds") or {}
    return {
        "result": text(record, "result"),
        "recipe_hash": maybe(text, record, "recipe_hash"),
        "model_hash": maybe(text, record, "model_hash"),
        "job": maybe(text, record, "job"),
        "format": maybe(text, record, "format"),
        "width_px": positive(record, "width_px"),
        "height_px": positive(record, "height_px"),
        "bytes_out": positive(record, "bytes_out"),
        "bytes_libjpeg": maybe(positive, record, "bytes_libjpeg"),
        "kept_coefficients": maybe(truth, record, "kept_coefficients"),
        **dict(zip(MEASURES, numbers(metrics, MEASURES), strict=True)),
        **dict(zip(_STAGE_COLUMNS, numbers(seconds, STAGES), strict=True)),
    }


def _failed(record: dict[str, Any]) -> dict[str, Any]:
    """Read what only the record of a failed image has."""
    return {
        "code": text(record, "code"),
        "reason": text(record, "reason"),
        "attempts": maybe(whole, record, "attempts"),
    }


_SPECIAL: Final = {"done": _finished, "failed": _failed}
"""What reads the rest of a record, by its status."""

"""Check: the settings, the routes and the recipes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from config.errors import ConfigurationError, SemjpegError
from producer.routing import Router
from semjpeg.doctor.finding import BrokenOffError, Finding
from storage import Stores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from semjpeg.doctor.context import Context


def look_at_settings(context: Context) -> Iterator[Finding]:
    """See that file and environment are understood, and that routes and recipes fit together."""
    try:
        settings = context.settings
    except ConfigurationError as error:
        mend = (
            "Correct what the message names: s3.region, say, is the variable SEMJPEG_S3__REGION, or `region` in the "
            "table [s3] of the file; docs/operating.md lists all settings."
        )
        raise BrokenOffError(Finding.failed("read", str(error), mend)) from error
    named = os.environ.get("SEMJPEG_CONFIG")
    file = Path(named or "semjpeg.toml")
    variables = sorted(name for name in os.environ if name.startswith("SEMJPEG_") and name != "SEMJPEG_CONFIG")
    yield Finding.ok(
        "read", f"{f'file {file}' if file.is_file() else 'no file'}, {len(variables)} variables of the environment"
    )
    yield Finding.ok("recipes", ", ".join(sorted({"default", *settings.recipes})))
    if not settings.routes:
        yield Finding.ok("routes", "none: events need them, enqueue and reconcile do not")
        return
    try:
        Router(settings, "doctor", Stores(settings))
    except SemjpegError as error:
        yield Finding.failed("routes", str(error), "Correct source, output or recipe of this route in [[routes]].")
    else:
        yield Finding.ok("routes", "; ".join(f"{r.source_place} → {r.output_place}" for r in settings.routes))

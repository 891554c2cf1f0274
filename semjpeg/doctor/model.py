"""Check: the network that makes the maps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from config.errors import ModelError
from semjpeg.doctor.context import installed
from semjpeg.doctor.finding import BrokenOffError, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from semjpeg.doctor.context import Context

_PICTURE_SHAPE = (96, 128, 3)


def look_at_model(context: Context) -> Iterator[Finding]:
    """See that the weights are the recorded ones, and that they make a map."""
    missing = [name for name in ("numpy", "keras", "tensorflow") if not installed(name)]
    if missing:
        mend = "Install what a worker needs: pip install '.[worker]'."
        raise BrokenOffError(Finding.failed("packages", f"missing: {', '.join(missing)}", mend))
    import models
    from models.weights import SHIPPED, record_path, verify

    path = context.settings.model.path
    weights = path or SHIPPED
    mend = (
        "Copy weights and record again, or correct SEMJPEG_MODEL__PATH."
        if path
        else "Install semjpeg again: the weights that ship with it are damaged."
    )
    try:
        sha256 = verify(weights)
    except ModelError as error:
        raise BrokenOffError(Finding.failed("weights", str(error), mend)) from error
    which = "shipped" if path is None or path.resolve() == SHIPPED.resolve() else "your own"
    yield Finding.judged(
        "weights",
        f"{which}: {weights.name}, SHA-256 {sha256[:12]}…"
        f"{' as recorded' if record_path(weights).is_file() else ', with no record beside them'}",
        f"Put the record that training wrote beside them, as {record_path(weights).name}.",
        good=record_path(weights).is_file(),
    )
    import numpy as np

    began = time.perf_counter()
    try:
        found = models.load(weights).importance(np.zeros(_PICTURE_SHAPE, np.uint8))
    except ModelError as error:
        raise BrokenOffError(Finding.failed("map", str(error), mend)) from error
    good = bool(np.isfinite(found).all())
    message = f"loads and makes a map in {time.perf_counter() - began:.1f} s"
    yield Finding.ok("map", message) if good else Finding.failed("map", "the map is not finite", mend)

"""Check: whether TensorFlow uses the GPU that there is."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from semjpeg.doctor.context import installed
from semjpeg.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from semjpeg.doctor.context import Context

_DEVICES: Final = Path("/dev")
_LOOK_S: Final = 5.0
_NONE_VISIBLE: Final = {"", "-1", "none", "void", "NoDevFiles"}


def look_at_gpu(context: Context) -> Iterator[Finding]:
    """Compare the driver's GPUs with TensorFlow's."""
    del context
    there = driver_gpus()
    yield Finding.ok("driver", "; ".join(there) or "no NVIDIA GPU")
    if installed("tensorflow"):
        yield judged(there, _visible(), os.environ.get("CUDA_VISIBLE_DEVICES"))


def driver_gpus() -> list[str]:
    """Return names and drivers of the GPUs of this machine; without NVIDIA's program, their device files."""
    program = shutil.which("nvidia-smi")
    if program:
        command = [program, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=_LOOK_S, check=True)  # noqa: S603
        except (OSError, subprocess.SubprocessError):
            pass  # the device files still tell
        else:
            return [line.strip() for line in answer.stdout.splitlines() if line.strip()]
    return sorted(str(path) for path in _DEVICES.glob("nvidia[0-9]*"))


def judged(there: list[str], seen: list[str], chosen: str | None) -> Finding:
    """Judge what TensorFlow sees.

    Args:
        there: The machine's GPUs.
        seen: Those that TensorFlow sees.
        chosen: `CUDA_VISIBLE_DEVICES`, or None.
    """
    choice = "" if chosen is None else f" (CUDA_VISIBLE_DEVICES={chosen})"
    if seen:
        mend = "Start one worker for each GPU, with CUDA_VISIBLE_DEVICES naming it."
        message = f"uses {', '.join(seen)}{choice}"
        return Finding.judged("TensorFlow", message, mend, good=len(seen) == 1)
    if not there:
        return Finding.ok("TensorFlow", "computes on the CPU")
    mend = (
        "Unset CUDA_VISIBLE_DEVICES or set it to a GPU's number."
        if chosen is not None and chosen in _NONE_VISIBLE
        else "Install TensorFlow with CUDA: pip install '.[gpu]'."
    )
    return Finding.warning("TensorFlow", f"sees none of {len(there)} GPUs{choice}", mend)


def _visible() -> list[str]:
    from models import backend

    backend.start()
    import tensorflow as tf

    return [str(device.name) for device in tf.config.list_physical_devices("GPU")]

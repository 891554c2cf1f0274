"""Keras and its backend, brought in late and quietly."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHATTER = re.compile(r"^(WARNING: All log messages before absl|[IWE]\d{4} [\d:. ]+\d+ \w+\.cc:\d+\])")
"""What TensorFlow's libraries write while they are loaded, before any log level applies."""


def start(threads: int = 0) -> None:
    """Import Keras and its backend, with nothing of theirs on standard error.

    Args:
        threads: how many threads TensorFlow may use in this process, 0 for one per core. It can only be set before
            TensorFlow first computes; later it is passed over.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "keras" not in sys.modules:
        with _without_chatter():
            import keras  # noqa: F401 - brings the backend along
    _limit_threads(threads)


def gpus() -> int:
    """Return how many GPUs the backend sees. Networks run on the first."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return len(keras.distribution.list_devices("gpu"))
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def restore_precision() -> None:
    """Let networks that are built or loaded from now on compute in float32."""
    import keras

    keras.config.set_dtype_policy("float32")


def _limit_threads(threads: int) -> None:
    """Give TensorFlow so many threads, if it has not yet begun to compute."""
    import keras

    if threads > 0 and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):  # it has begun
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold back what is written to standard error, also by C++, and write it at the end without the chatter."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held.read().decode(errors="replace").splitlines(keepends=True):
                if not _CHATTER.match(line):
                    sys.stderr.write(line)

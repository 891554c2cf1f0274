"""The child of nasty.py: `trial.py FOLDER FIRST END` tries the files of these numbers and prints a line for each.

A line is `result`, the code of a failure, or `defect`, a tab and what came instead. A file that hangs ends the process.
"""

from __future__ import annotations

import faulthandler
import sys
import traceback
import warnings
from pathlib import Path

from mutations import ending

_HANGS_AFTER_S = 30.0


def main() -> None:
    """Try one file after the other."""
    warnings.simplefilter("ignore")
    folder, first, end = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for number in range(first, end):
        faulthandler.dump_traceback_later(_HANGS_AFTER_S, exit=True)
        sys.stdout.write(f"{_tried((folder / str(number)).read_bytes())}\n")
        sys.stdout.flush()
    faulthandler.cancel_dump_traceback_later()


def _tried(data: bytes) -> str:
    try:
        return ending(data)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what this program looks for
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return f"defect\t{type(error).__name__} at {where}: {error}".replace("\n", " ")


if __name__ == "__main__":
    main()

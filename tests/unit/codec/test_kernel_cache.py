"""Where compiled kernels are kept: each case is a package of its own, run in processes of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import codec.kernel
import config.machine_code

SOURCES = {
    "__init__.py": "",
    "shift.py": "from codec.kernel import helper\n\nBY = 1\n\n\n@helper\ndef shift(x):\n    return x + BY\n",
    "double.py": (
        "from numba import int64\n"
        "from codec.kernel import kernel\n"
        "from codec.shift import shift\n\n\n"
        "@kernel(int64, returns=int64)\n"
        "def double(x):\n"
        "    return 2 * shift(x)\n"
    ),
}

# Root may write anywhere unless it gives up CAP_DAC_OVERRIDE (1) by PR_CAPBSET_DROP (24) before it starts a program.
START = """
import ctypes, os, sys
if os.geteuid() == 0 and ctypes.CDLL(None).prctl(24, 1, 0, 0, 0) != 0:
    sys.exit("cannot do without root's right to write anywhere")
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
CALL = """
import json
from codec.double import double
result = double(20)
told = double.stats
print(json.dumps([result, sum(told.cache_misses.values()), told.cache_path]))
"""


class Place:
    """A package with one kernel, and a user with a home."""

    def __init__(self, folder: Path) -> None:
        self.package = folder / "site" / "codec"
        self.home = folder / "home"
        self.machine_code = self.package / "__pycache__"
        self.package.mkdir(parents=True)
        self.home.mkdir()
        shutil.copy(codec.kernel.__file__, self.package / "kernel.py")
        (folder / "site" / "config").mkdir()
        shutil.copy(config.machine_code.__file__, folder / "site" / "config" / "machine_code.py")
        for name, text in SOURCES.items():
            (self.package / name).write_text(text)

    def call(self, **environment: str) -> tuple[int, int, str]:
        """Return the kernel's result, how often it was compiled, and which folder it would be written to."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "XDG_"))}
        done = subprocess.run(
            [sys.executable, "-c", START, CALL],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.package.parent,
            env={**kept, "HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return tuple(json.loads(done.stdout))

    def freeze(self, *folders: Path) -> None:
        for folder in folders:
            folder.chmod(0o555)

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.machine_code.glob("*.nb?")}


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    yield place
    for folder in (place.package, place.machine_code, place.home):
        if folder.exists():
            folder.chmod(0o755)


@pytest.fixture(scope="module")
def machine_code(tmp_path_factory):
    """Return a folder with the machine code of the kernel, made once for all tests."""
    place = Place(tmp_path_factory.mktemp("compiled"))
    place.call()
    return place.machine_code


@pytest.fixture
def compiled(place, machine_code):
    """Return a place that was installed with its machine code."""
    shutil.copytree(machine_code, place.machine_code)
    return place


def test_a_kernel_is_compiled_once_and_kept_beside_its_source(place):
    assert place.call() == (42, 1, str(place.machine_code))
    assert place.call() == (42, 0, str(place.machine_code))
    assert not list(place.home.iterdir())


def test_a_helper_leaves_nothing_on_disk(compiled):
    assert {name.split("-")[0] for name in compiled.files()} == {"double.double"}


def test_a_read_only_installation_loads_what_it_holds(compiled):
    compiled.freeze(compiled.package, compiled.machine_code)
    before = compiled.files()
    assert compiled.call()[:2] == (42, 0)
    assert compiled.call(HOME="/dev/null/nowhere")[:2] == (42, 0)
    assert compiled.files() == before


@pytest.mark.parametrize("folder", [False, True])
def test_a_read_only_installation_without_machine_code_uses_the_users_folder(place, folder):
    if folder:
        place.machine_code.mkdir()
        place.freeze(place.machine_code)
    place.freeze(place.package)
    result, compiled, kept = place.call()
    assert (result, compiled) == (42, 1)
    assert Path(kept).is_relative_to(place.home)
    assert place.call()[:2] == (42, 0)
    assert place.files() == {}


def test_a_folder_that_is_named_is_used_alone(compiled, tmp_path):
    named = str(tmp_path / "named")
    result, count, kept = compiled.call(NUMBA_CACHE_DIR=named)
    assert (result, count) == (42, 1)
    assert Path(kept).is_relative_to(named)
    assert compiled.call(NUMBA_CACHE_DIR=named)[1] == 0


def test_a_named_folder_may_become_read_only(place, tmp_path):
    named = tmp_path / "named"
    kept = Path(place.call(NUMBA_CACHE_DIR=str(named))[2])
    place.freeze(place.package, named, kept)
    try:
        assert place.call(NUMBA_CACHE_DIR=str(named))[:2] == (42, 0)
    finally:
        named.chmod(0o755)
        kept.chmod(0o755)


def test_where_nothing_can_be_written_it_works_all_the_same(place):
    place.freeze(place.package)
    for _ in range(2):
        assert place.call(HOME="/dev/null/nowhere", NUMBA_CACHE_DIR="/dev/null/nowhere")[:2] == (42, 1)


def test_machine_code_of_another_processor_is_not_used(compiled):
    other = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    assert compiled.call(**other)[:2] == (42, 1)
    assert compiled.call(**other)[1] == 0
    assert compiled.call()[1] == 0


def test_machine_code_of_another_processor_in_a_read_only_installation_makes_way(compiled):
    other = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    compiled.freeze(compiled.package, compiled.machine_code)
    result, count, kept = compiled.call(**other)
    assert (result, count) == (42, 1)
    assert Path(kept).is_relative_to(compiled.home)
    assert compiled.call(**other)[1] == 0
    assert compiled.call()[1] == 0


def test_a_constant_that_changes_in_another_file_is_seen(compiled):
    source = compiled.package / "shift.py"
    source.write_text(source.read_text().replace("BY = 1", "BY = 2"))
    assert compiled.call()[:2] == (44, 1)
    assert compiled.call()[:2] == (44, 0)


def test_a_source_that_is_only_touched_stays_compiled(compiled):
    os.utime(compiled.package / "double.py", (1, 1))
    assert compiled.call()[:2] == (42, 0)


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("length", [0, 40])
def test_a_file_that_was_cut_off_is_replaced(compiled, kind, length):
    (path,) = compiled.machine_code.glob(f"*.{kind}")
    path.write_bytes(path.read_bytes()[:length])
    assert compiled.call()[:2] == (42, 1)
    assert compiled.call()[:2] == (42, 0)


def test_the_encoder_compiles_nothing_after_its_import():
    code = """
import sys
import numpy, numba.core.dispatcher as compiler, codec
compiler.Dispatcher.compile = lambda self, types: sys.exit(f"compiled {self.py_func.__qualname__}")
for shape in ((40, 50, 3), (40, 50)):
    pixels = numpy.arange(numpy.prod(shape), dtype=numpy.uint8).reshape(shape)
    for method in codec.METHODS:
        for rate in (codec.Quality(75), codec.MatchJpeg(75), codec.TargetBytes(20_000)):
            codec.encode(pixels, numpy.eye(5), rate=rate, method=method)
    codec.measure(pixels, pixels, numpy.eye(5))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

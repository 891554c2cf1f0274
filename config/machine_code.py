"""Where the machine code of numba's functions is kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numba.core import config
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    InTreeCacheLocator,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def compile_once(dispatcher: Any, signature: Any) -> None:
    """Compile one of numba's functions for a signature and no other, or load what was compiled before."""
    dispatcher._cache = _Caches(dispatcher.py_func)  # noqa: SLF001  numba has no public way to name a cache
    dispatcher.compile(signature)
    dispatcher.disable_compile()


class _Caches:
    """Where the machine code of a kernel may lie: read from all of these folders, written to the last.

    They are numba's, in its order: `NUMBA_CACHE_DIR`, `__pycache__` beside the source, the user's cache folder. Numba
    takes the first that can be written, and so would compile anew where a read-only installation holds the code; and it
    fails where none can. Its index tells processors, their features and its own versions apart.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._places = list(_places(function))

    @property
    def cache_path(self) -> str:
        """The folder written to."""
        path: str = self._places[-1].cache_path
        return path

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Return the code for a signature and a target, or None."""
        for place in self._places:
            try:
                found = place.load_overload(signature, target)
            except (EOFError, pickle.UnpicklingError):  # cut off, as by a loss of power
                with contextlib.suppress(OSError):
                    place.flush()
            except OSError:  # may not be read
                pass
            else:
                if found is not None:
                    return found
        return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep the code for a signature, if that can be."""
        with contextlib.suppress(OSError):  # all are read-only, or the disk is full
            self._places[-1].save_overload(signature, compiled)


def _places(function: Callable[..., Any]) -> Iterator[Any]:
    """Yield numba's folders for a function, up to the first that can be written."""
    given = config.CACHE_DIR  # type: ignore[attr-defined]  # numba sets it from the environment
    for locator in (_Given, _Beside, _Own) if given else (_Beside, _Own):
        place = _at(locator)(function)
        yield place
        with contextlib.suppress(OSError):
            place._impl.locator.ensure_cache_path()  # noqa: SLF001  numba's own test
            return


def _at(locator: type[_Locator]) -> Any:
    """Return numba's cache for one folder."""

    class Files(CompileResultCacheImpl):
        _locator_classes = [locator]  # noqa: RUF012  as numba spells it

    class Place(FunctionCache):
        _impl_class = Files

    return Place


class _Locator:
    """What our folders have in common: they need not be writable, and their code belongs to a whole package.

    Numba would look at the kernel's own file alone, and keep the code when a helper or a constant changes elsewhere.
    """

    _py_file: str

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> Any:
        """Return the folder for a function of a file."""
        locator: Any = cls
        return locator(function, file)

    def get_source_stamp(self) -> str:
        """Return what is the same as long as the sources are."""
        return _stamp(Path(self._py_file).parent)


class _Given(_Locator, UserProvidedCacheLocator):
    """`NUMBA_CACHE_DIR`."""


class _Beside(_Locator, InTreeCacheLocator):
    """`__pycache__`."""


class _Own(_Locator, UserWideCacheLocator):
    """The user's cache folder."""


@cache
def _stamp(package: Path) -> str:
    """Return a digest of all sources of a package."""
    digest = hashlib.sha256()
    for source in sorted(package.glob("*.py")):
        content = source.read_bytes()
        digest.update(f"{source.name} {len(content)} ".encode() + content)
    return digest.hexdigest()

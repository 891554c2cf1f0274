"""How the compiled kernels are declared: types up front, no global lock held, machine code kept on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from numba import njit, types
from numba.extending import intrinsic

from config.machine_code import compile_once

if TYPE_CHECKING:
    from collections.abc import Callable

# With the types given, the code is compiled (once) or loaded (from then on) when its module is imported, never during
# the first picture. No fast-math: sums keep their order, and the same picture always gives the same bytes. Entries that
# nobody uses, for C pointers and for calling helpers from Python, would add a sixth to the time that compiling takes.
_KERNEL: Final[dict[str, Any]] = {"nogil": True, "no_cfunc_wrapper": True}
_HELPER: Final[dict[str, Any]] = {**_KERNEL, "no_cpython_wrapper": True}


def reads(dtype: types.Type, axes: int) -> types.Array:
    """Type of a C-ordered array argument that a kernel only reads; it may be read-only."""
    return types.Array(dtype, axes, "C", readonly=True)


def writes(dtype: types.Type, axes: int) -> types.Array:
    """Type of a C-ordered array argument that a kernel writes to."""
    return types.Array(dtype, axes, "C")


def kernel(
    *arguments: types.Type, returns: types.Type = types.void
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function for these argument types, or load what was compiled before."""

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        dispatcher: Any = njit(**_KERNEL)(function)
        compile_once(dispatcher, returns(*arguments))
        entry: Callable[..., Any] = dispatcher
        return entry

    return compiled


def helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function for the types that kernels call it with; Python cannot call it.

    It becomes part of those kernels, so that nothing of its own is kept on disk.
    """
    compiled: Callable[..., Any] = njit(**_HELPER)(function)
    return compiled


def _count_trailing_zeros(_: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], context.get_constant(types.boolean, 1))

    return types.int64(word), generate


trailing_zeros: Any = intrinsic(_count_trailing_zeros)
"""In a kernel: zeros below the lowest one of an `int64` other than 0; one machine instruction."""

"""How the compiled kernels are declared: types up front, no global lock held, machine code kept on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numba import njit, types

if TYPE_CHECKING:
    from collections.abc import Callable

# With the types given, the code is compiled (once) or loaded (from then on) when its module is imported, never during
# the first picture. No fast-math: sums keep their order, and the same picture always gives the same bytes.


def reads(dtype: types.Type, axes: int) -> types.Array:
    """Type of a C-ordered array argument that a kernel only reads; it may be read-only."""
    return types.Array(dtype, axes, "C", readonly=True)


def writes(dtype: types.Type, axes: int) -> types.Array:
    """Type of a C-ordered array argument that a kernel writes to."""
    return types.Array(dtype, axes, "C")


def kernel(
    *arguments: types.Type, returns: types.Type = types.void
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function for these argument types."""
    compiler: Callable[[Callable[..., Any]], Callable[..., Any]] = njit(returns(*arguments), nogil=True, cache=True)
    return compiler


def helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that kernels call, for the types they call it with."""
    compiled: Callable[..., Any] = njit(function, nogil=True, cache=True)
    return compiled

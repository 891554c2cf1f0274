from __future__ import annotations

import re

from config import errors
from config.errors import PermanentError, RetryableError, SemjpegError


def leaves(kind: type[SemjpegError]) -> list[type[SemjpegError]]:
    return [leaf for child in kind.__subclasses__() for leaf in (leaves(child) or [child])]


def test_every_leaf_is_either_retryable_or_permanent():
    for leaf in leaves(SemjpegError):
        assert issubclass(leaf, RetryableError) != issubclass(leaf, PermanentError)
        assert leaf.retryable is issubclass(leaf, RetryableError)


def test_every_leaf_has_a_word_of_its_own():
    codes = [leaf.code for leaf in leaves(SemjpegError)]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z-]+", code) for code in codes)


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = set(re.findall(r"── (\w+)", errors.__doc__))
    assert drawn == {kind.__name__ for kind in [RetryableError, PermanentError, *leaves(SemjpegError)]}

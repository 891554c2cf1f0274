"""Listings of folders of any size, and reading through links."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ForbiddenError, ObjectMissingError
from storage import local
from storage.local import LocalStore

_NAMES = st.text("ab.-0é\udcff", min_size=1, max_size=3).filter(lambda name: name.strip("."))
_KEYS = st.lists(_NAMES, min_size=1, max_size=3).map("/".join)


def write(root: Path, keys: set[str]) -> list[str]:
    """Write what can be written: a name is a file or a folder. Returns the keys in their order."""
    written = []
    for key in sorted(keys):
        path = root / key
        if path.exists() or any(parent.is_file() for parent in path.parents):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        written.append(key)
    return sorted(written)


@given(keys=st.sets(_KEYS), prefix=_KEYS | st.just(""), after=_KEYS | st.just(""), page=st.integers(1, 4))
def test_any_listing_is_in_the_order_of_keys(keys, prefix, after, page):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "_PAGE", page)
        written = write(Path(folder), keys)
        listed = [found.key for found in LocalStore(Path(folder)).list(prefix, start_after=after)]
    assert listed == [key for key in written if key.startswith(prefix) and key > after]


def test_folders_beside_the_prefix_are_not_looked_into(tmp_path, monkeypatch):
    write(tmp_path, {"a/x/1", "a/y/2", "b/3", "ab/4"})
    looked_into: list[str] = []
    names = local._sorted_names
    monkeypatch.setattr(local, "_sorted_names", lambda folder: looked_into.append(Path(folder).name) or names(folder))
    assert [found.key for found in LocalStore(tmp_path).list("a/y/")] == ["a/y/2"]
    assert looked_into == [tmp_path.name, "a", "y"]
    looked_into.clear()
    assert [found.key for found in LocalStore(tmp_path).list(start_after="a/y/2")] == ["ab/4", "b/3"]
    assert looked_into == [tmp_path.name, "a", "y", "ab", "b"]


def test_a_link_within_the_folder_can_be_read_and_one_out_of_it_cannot(tmp_path):
    root = tmp_path / "root"
    write(root, {"real/file"})
    (root / "real/file").write_bytes(b"content")
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "inside").symlink_to(root / "real")
    (root / "outside").symlink_to(tmp_path)
    (root / "real/up").symlink_to(tmp_path / "secret")
    store = LocalStore(root)
    assert store.get("inside/file", max_bytes=10) == b"content"
    for key in ("outside/secret", "real/up", "inside/up", "real/../../secret", "real//../../secret"):
        with pytest.raises(ForbiddenError):
            store.get(key, max_bytes=10)
    assert [found.key for found in store.list()] == ["real/file"]


def test_a_folder_is_no_object(tmp_path):
    write(tmp_path, {"a/b"})
    with pytest.raises(ObjectMissingError):
        LocalStore(tmp_path).get("a", max_bytes=10)

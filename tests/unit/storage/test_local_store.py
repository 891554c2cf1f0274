from __future__ import annotations

import pytest

from config.errors import ForbiddenError, ObjectChangedError, ObjectMissingError, TooLargeError
from config.settings import Settings
from storage import Stores
from storage.local import LocalStore


@pytest.fixture
def store(tmp_path) -> LocalStore:
    return LocalStore(tmp_path)


@pytest.mark.parametrize("key", ["a.jpg", "a b+ü&.jpg", "deep/er/x.png", "ends.here/..hidden"])
def test_what_is_put_comes_back(store, key):
    store.put(key, b"content", content_type="image/jpeg", metadata={"semjpeg-job": "abc"})
    found = store.head(key)
    assert (found.key, found.size_bytes, dict(found.metadata)) == (key, 7, {"semjpeg-job": "abc"})
    assert store.get(key, max_bytes=7, etag=found.etag) == b"content"


def test_metadata_does_not_outlive_its_content(store, tmp_path):
    store.put("k", b"ours", content_type="", metadata={"semjpeg-job": "abc"})
    (tmp_path / "k").write_bytes(b"somebody else's")
    assert dict(store.head("k").metadata) == {}


@pytest.mark.parametrize("key", ["../outside", "/etc/passwd", "a/../../outside", ".semjpeg-store/x", "nul\0"])
def test_no_key_leads_out_of_the_folder(store, tmp_path, key):
    for attempt in (
        lambda: store.put(key, b"", content_type=""),
        lambda: store.get(key, max_bytes=1),
        lambda: store.head(key),
        lambda: store.delete(key),
    ):
        with pytest.raises(ForbiddenError):
            attempt()
    assert not (tmp_path.parent / "outside").exists()


def test_no_link_leads_out_of_the_folder(store, tmp_path):
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(ForbiddenError):
        store.get("link/passwd", max_bytes=10_000)


def test_missing_changed_and_too_large(store):
    assert store.head("k") is None
    assert store.head("k/below") is None
    with pytest.raises(ObjectMissingError, match="k"):
        store.get("k", max_bytes=1)
    store.put("k", b"1234", content_type="")
    with pytest.raises(TooLargeError, match="4 bytes"):
        store.get("k", max_bytes=3)
    with pytest.raises(ObjectChangedError):
        store.get("k", max_bytes=4, etag="an older tag")
    store.delete("k")
    store.delete("k")
    assert store.head("k") is None


def test_the_listing_is_in_the_order_of_keys(store):
    keys = ["a", "a-b", "a.txt", "a/b", "a/c/d", "a0", "b"]
    keys.remove("a")  # a file and a folder cannot share a name
    for key in keys:
        store.put(key, b"", content_type="", metadata={"x": "y"})
    assert [o.key for o in store.list()] == sorted(keys)
    assert [o.key for o in store.list("a/")] == ["a/b", "a/c/d"]
    assert [o.key for o in store.list(start_after="a.txt")] == ["a/b", "a/c/d", "a0", "b"]


def test_a_failed_write_leaves_nothing(store, tmp_path):
    (tmp_path / "k").mkdir()
    with pytest.raises(ObjectMissingError):
        store.put("k", b"data", content_type="")
    assert list((tmp_path / ".semjpeg-store" / "incomplete").iterdir()) == []


def test_folders_are_open_only_below_the_configured_root(tmp_path):
    allowed = Stores(Settings(storage={"local_root": tmp_path}))
    allowed.open(f"file://{tmp_path}/in").put("k", b"", content_type="")
    with pytest.raises(ForbiddenError):
        allowed.open("file:///etc")
    with pytest.raises(ForbiddenError):
        Stores(Settings()).open(f"file://{tmp_path}")

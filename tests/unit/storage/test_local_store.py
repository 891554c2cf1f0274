from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from config.errors import ForbiddenError, ObjectChangedError, ObjectMissingError, OvertakenError, TooLargeError
from config.settings import Settings
from storage import ABSENT, Stores
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


def test_a_large_object_is_read_in_pieces_and_of_one_version(store, tmp_path):
    store.put("k", b"0123456789", content_type="")
    found = store.head("k")
    with store.open("k", max_bytes=10, etag=found.etag) as file:
        assert file.read(3) == b"012"
        store.put("k", b"another", content_type="")  # takes the place of the file, not its content
        assert (file.read(), file.seek(0), file.read(1)) == (b"3456789", 0, b"0")
    assert file.closed
    with pytest.raises(ObjectChangedError), store.open("k", max_bytes=10, etag=found.etag):
        pytest.fail("is of another version")
    with pytest.raises(TooLargeError, match="7 bytes"), store.open("k", max_bytes=6):
        pytest.fail("is too large")
    with pytest.raises(ObjectMissingError), store.open("gone", max_bytes=6):
        pytest.fail("is not there")
    with pytest.raises(ObjectChangedError, match="while it was read"), store.open("k", max_bytes=10):
        (tmp_path / "k").write_bytes(b"overwritten in its place")
    with pytest.raises(OSError, match="of the reader"), store.open("k", max_bytes=99):
        raise OSError("of the reader")


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


def test_a_write_on_a_condition(store):
    with pytest.raises(OvertakenError):
        store.put("k", b"1", content_type="", expects="some tag")
    store.put("k", b"1", content_type="", expects=ABSENT)
    first = store.head("k")
    with pytest.raises(OvertakenError):
        store.put("k", b"22", content_type="", expects=ABSENT)
    store.put("k", b"333", content_type="", expects=first.etag)
    with pytest.raises(OvertakenError):
        store.put("k", b"4444", content_type="", expects=first.etag)
    assert store.get("k", max_bytes=10) == b"333"


def test_one_of_many_writers_on_a_condition_wins(tmp_path):
    def write(number: int) -> bool:
        try:
            LocalStore(tmp_path).put("k", b"x" * number, content_type="", metadata={"n": str(number)}, expects=ABSENT)
        except OvertakenError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        winners = [number for number, won in zip(range(30), pool.map(write, range(30)), strict=True) if won]
    found = LocalStore(tmp_path).head("k")
    assert [(found.size_bytes, dict(found.metadata))] == [(number, {"n": str(number)}) for number in winners]


def test_content_has_its_metadata_at_every_moment(store, monkeypatch):
    """A worker may die between writing the metadata and the content."""
    store.put("k", b"old", content_type="", metadata={"semjpeg-job": "old"})
    replace, seen = Path.replace, []

    def look(self: Path, target: Path) -> Path:
        seen.append(dict(store.head("k").metadata))
        moved = replace(self, target)
        seen.append(dict(store.head("k").metadata))
        return moved

    monkeypatch.setattr(Path, "replace", look)
    store.put("k", b"newer", content_type="", metadata={"semjpeg-job": "new"})
    assert seen == [{"semjpeg-job": "old"}] * 3 + [{"semjpeg-job": "new"}]


def test_folders_are_open_only_below_the_configured_root(tmp_path):
    allowed = Stores(Settings(storage={"local_root": tmp_path}))
    allowed.open(f"file://{tmp_path}/in").put("k", b"", content_type="")
    with pytest.raises(ForbiddenError):
        allowed.open("file:///etc")
    with pytest.raises(ForbiddenError):
        Stores(Settings()).open(f"file://{tmp_path}")

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from config.errors import StorageUnavailableError
from config.objects import ObjectVersion
from config.recipes import Recipe, Route
from producer.scan import scan
from storage.local import LocalStore

ROUTE = Route(source="s3://in/photos", output="s3://out")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Listing:
    """A bucket that shows what a test puts into it."""

    def __init__(self) -> None:
        self.objects: dict[str, ObjectVersion] = {}

    def add(self, key: str, modified: datetime, etag: str = "1") -> None:
        self.objects[key] = ObjectVersion(key, etag, 1, modified=modified)

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectVersion]:
        return iter([o for k, o in sorted(self.objects.items()) if k.startswith(prefix) and k > start_after])


def test_a_scan_makes_a_job_of_every_image_under_the_prefix(tmp_path):
    store = LocalStore(tmp_path)
    for key in ["photos/a.jpg", "photos/b/c.PNG", "photos/notes.txt", "photos/.semjpeg/maps/x.png", "other/d.jpg"]:
        store.put(key, b"x", content_type="")
    jobs = list(scan(store, ROUTE, Recipe(), "run"))
    assert [(job.key, job.size, job.run) for job in jobs] == [("photos/a.jpg", 1, "run"), ("photos/b/c.PNG", 1, "run")]
    assert jobs[0].etag == store.head("photos/a.jpg").etag


@pytest.fixture
def listing() -> Listing:
    return Listing()


def test_a_scan_goes_on_after_any_key(listing):
    for number in range(9):
        listing.add(f"photos/{number}.jpg", NOON)
    jobs = list(scan(listing, ROUTE, Recipe(), "run", start_after="photos/5.jpg"))
    assert [job.key for job in jobs] == ["photos/6.jpg", "photos/7.jpg", "photos/8.jpg"]


def test_a_listing_in_no_order_is_refused_for_keys_would_be_passed_over(listing, monkeypatch):
    shown = [ObjectVersion(f"photos/{name}.jpg", "1", 1) for name in "bac"]
    monkeypatch.setattr(listing, "list", lambda *_, **__: iter(shown))
    with pytest.raises(StorageUnavailableError, match="not in order"):
        list(scan(listing, ROUTE, Recipe(), "run"))


@pytest.mark.parametrize("key", ["photos/\udcff.jpg", f"photos/{'a' * 1100}.jpg"])
def test_a_key_that_no_job_can_have_is_passed_over(listing, key):
    listing.add(key, NOON)
    listing.add("photos/b.jpg", NOON)
    assert [job.key for job in scan(listing, ROUTE, Recipe(), "run")] == ["photos/b.jpg"]

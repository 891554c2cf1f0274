from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from config.errors import StorageUnavailableError
from config.objects import ObjectVersion
from config.recipes import Recipe, Route
from producer import scan as scanning
from producer.scan import LATE_ARRIVALS, Follower, scan
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


@pytest.fixture
def follower(listing) -> Follower:
    return Follower(listing, ROUTE, Recipe(), "run")


def keys(follower: Follower) -> list[str]:
    return [job.key for job in follower.new_jobs()]


def test_each_version_comes_once(listing, follower):
    listing.add("photos/a.jpg", NOON)
    listing.add("photos/b.jpg", NOON - timedelta(days=300))
    assert keys(follower) == ["photos/a.jpg", "photos/b.jpg"]
    assert keys(follower) == []
    listing.add("photos/a.jpg", NOON + timedelta(seconds=1), etag="2")
    listing.add("photos/c.jpg", NOON + timedelta(seconds=1))
    assert keys(follower) == ["photos/a.jpg", "photos/c.jpg"]
    assert keys(follower) == []


def test_an_upload_that_shows_late_under_an_early_date_is_found(listing, follower):
    listing.add("photos/a.jpg", NOON)
    keys(follower)
    listing.add("photos/slow.jpg", NOON - LATE_ARRIVALS + timedelta(seconds=1))
    assert keys(follower) == ["photos/slow.jpg"]
    assert keys(follower) == []


def test_memory_holds_recent_versions_only(listing, follower, monkeypatch):
    monkeypatch.setattr(scanning, "_PRUNE_MIN", 100)
    follower._prune_at = 100
    for number in range(5000):
        listing.add(f"photos/{number:05}.jpg", NOON + number * timedelta(minutes=1))
    most = 0
    for _ in follower.new_jobs():
        most = max(most, len(follower._recent))
    assert most <= 100
    assert len(follower._recent) == 16
    assert keys(follower) == []


def test_a_listing_that_breaks_off_is_looked_at_again_from_where_it_began(listing, follower):
    for name in ("a", "b", "c"):
        listing.add(f"photos/{name}.jpg", NOON if name == "a" else NOON - timedelta(days=9))
    whole = listing.list

    def broken(prefix, **_):
        yield next(whole(prefix))
        raise StorageUnavailableError("gone")

    listing.list = broken
    with pytest.raises(StorageUnavailableError):
        keys(follower)
    listing.list = whole
    assert keys(follower) == ["photos/b.jpg", "photos/c.jpg"]


def test_following_survives_a_store_that_is_away(listing, follower):
    listing.add("photos/a.jpg", NOON)
    whole, calls = listing.list, []

    def away_at_first(prefix, **_):
        calls.append(prefix)
        if len(calls) == 1:
            raise StorageUnavailableError("away")
        return whole(prefix)

    listing.list = away_at_first
    assert next(follower.forever(0.01)).key == "photos/a.jpg"
    assert len(calls) == 2


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
def test_a_key_that_no_job_can_have_is_passed_over(listing, follower, key):
    listing.add(key, NOON)
    listing.add("photos/b.jpg", NOON)
    assert [job.key for job in scan(listing, ROUTE, Recipe(), "run")] == ["photos/b.jpg"]
    assert keys(follower) == ["photos/b.jpg"]

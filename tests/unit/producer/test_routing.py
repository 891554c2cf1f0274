from __future__ import annotations

import json

import pytest

from config.errors import ConfigurationError, ForbiddenError, StorageUnavailableError
from config.jobs import JOB_FIELD
from config.objects import ObjectVersion
from config.settings import Settings
from producer.candidates import is_candidate
from producer.events import parse_notification
from producer.routing import Router

ROUTES = [
    {"source": "s3://photos/in", "output": "s3://small"},
    {"source": "s3://photos", "output": "s3://tiny/x", "recipe": "tiny"},
]
SETTINGS = {"routes": ROUTES, "recipes": {"tiny": {"quality": 20}}}


class Buckets:
    """A store of one object, which counts who looks."""

    def __init__(self, answer: ObjectVersion | Exception | None = None) -> None:
        self.answer = answer
        self.looks: list[tuple[str, str]] = []

    def open(self, bucket: str):
        self.bucket = bucket
        return self

    def head(self, key: str) -> ObjectVersion | None:
        self.looks.append((self.bucket, key))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def jobs(event: dict, buckets: Buckets | None = None) -> list:
    router = Router(Settings(**SETTINGS), "run", buckets or Buckets())
    return [job for created in parse_notification(json.dumps(event)).created for job in router.jobs(created)]


def test_an_object_takes_every_route_that_leads_through_its_key(dialects):
    buckets = Buckets()
    assert [
        (j.key, j.output, j.recipe.quality, j.result_keys.jpeg) for j in jobs(dialects.aws("in/a.jpg"), buckets)
    ] == [
        ("in/a.jpg", "s3://small", 75, "a.jpg.jpg"),
        ("in/a.jpg", "s3://tiny/x", 20, "x/in/a.jpg.jpg"),
    ]
    assert [j.result_keys.jpeg for j in jobs(dialects.aws("b.png"), buckets)] == ["x/b.png.jpg"]
    assert [j.result_keys.jpeg for j in jobs(dialects.aws("into/b.png"), buckets)] == ["x/into/b.png.jpg"]
    assert buckets.looks == []


def test_other_buckets_cause_nothing(dialects):
    event = dialects.aws("in/a.jpg", eTag=None)
    event["Records"][0]["s3"]["bucket"]["name"] = "photos2"
    buckets = Buckets()
    assert jobs(event, buckets) == []
    assert buckets.looks == []


@pytest.mark.parametrize(
    "key", ["notes.txt", "in/.semjpeg/maps/a.png", ".semjpeg/a.png", "folder/", "folder.jpg/", ".jpg", "noextension"]
)
def test_what_is_no_image_causes_no_job(dialects, key):
    buckets = Buckets()
    assert jobs(dialects.aws(key, eTag=None), buckets) == []
    assert buckets.looks == []


def test_a_folder_of_a_like_name_is_none_of_ours(dialects):
    assert len(jobs(dialects.aws("my.semjpeg/a.png"))) == 1


@pytest.mark.parametrize("lacking", ["eTag", "size"])
def test_what_an_event_lacks_is_looked_up(dialect, lacking):
    buckets = Buckets(ObjectVersion("in/a b.jpg", "found", 7, "v9"))
    made = jobs(dialect("in/a b.jpg", **{lacking: None}), buckets)
    assert {(j.key, j.etag, j.size, j.version) for j in made} == {("in/a b.jpg", "found", 7, "v9")}
    assert len(made) == 2
    assert buckets.looks == [("photos", "in/a b.jpg")]


def test_an_object_that_is_gone_or_forbidden_causes_no_job_and_a_store_that_is_away_is_told(dialects):
    event = dialects.aws("in/a.jpg", eTag="")
    assert jobs(event, Buckets(None)) == []
    assert jobs(event, Buckets(ForbiddenError("no"))) == []
    with pytest.raises(StorageUnavailableError):
        jobs(event, Buckets(StorageUnavailableError("away")))


def test_our_own_results_cause_no_job(dialects):
    assert jobs(dialects.minio("in/a.jpg", userMetadata={"X-Amz-Meta-Semjpeg-Job": "5f"})) == []
    assert jobs(dialects.ceph("in/a.jpg", metadata=[{"key": "x-amz-meta-semjpeg-job", "val": "5f"}])) == []
    assert jobs(dialects.ceph("in/a.jpg", metadata=[{"key": "x-amz-meta-else", "val": "5f"}])) != []
    marked = ObjectVersion("in/a.jpg", "found", 7, metadata={JOB_FIELD: "5f"})
    assert jobs(dialects.aws("in/a.jpg", eTag=None), Buckets(marked)) == []
    assert not is_candidate(marked)


CIRCLES = [
    [("s3://a", "s3://b"), ("s3://b", "s3://c")],
    [("s3://a", "s3://b/x/y"), ("s3://b/x", "s3://c")],
    [("s3://b/in", "s3://b")],
    [("s3://a", "s3://b"), ("s3://b/in", "s3://c")],
]


@pytest.mark.parametrize("circle", CIRCLES)
def test_routes_that_feed_each_other_are_refused(circle):
    routes = [{"source": source, "output": output} for source, output in circle]
    with pytest.raises(ConfigurationError, match="compressed again"):
        Router(Settings(routes=routes), "run", Buckets())


def test_neighbours_of_a_like_name_are_no_circle():
    routes = [{"source": "s3://a/in", "output": "s3://a/in2"}, {"source": "s3://a/i", "output": "s3://b"}]
    Router(Settings(routes=routes), "run", Buckets())


def test_no_route_and_unknown_recipes_are_refused():
    with pytest.raises(ConfigurationError, match="no route"):
        Router(Settings(), "run", Buckets())
    with pytest.raises(ConfigurationError, match="tiny"):
        Router(Settings(routes=ROUTES), "run", Buckets())

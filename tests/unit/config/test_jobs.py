from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import InvalidMessageError
from config.jobs import Job
from config.objects import ObjectVersion
from config.recipes import Recipe, Route

ROUTE = Route(source="s3://in/photos", output="s3://out/small")
SOURCE = ObjectVersion("photos/a/b.jpg", "0123", 1000)
JOB = Job.of(ROUTE, Recipe(), SOURCE, run="r")


def test_a_job_keeps_what_its_route_and_source_say():
    assert (JOB.bucket, JOB.key, JOB.etag, JOB.size) == ("in", "photos/a/b.jpg", "0123", 1000)
    assert JOB.result_keys.jpeg == "small/a/b.jpg.jpg"
    assert str(JOB.output_place) == "s3://out/small/"


@given(
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200),
    quality=st.integers(1, 100),
    strength=st.floats(0, 1),
    size=st.integers(0, 2**40),
)
def test_a_message_survives_json(key, quality, strength, size):
    recipe = Recipe(quality=quality, strength=strength)
    job = Job.of(ROUTE, recipe, ObjectVersion(f"photos/{key}", "e", size, version="v1"), run="r")
    assert Job.from_message(json.loads(json.dumps(job.to_message()))) == job


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"bucket": None}, "bucket"),
        ({"size": -1}, "size"),
        ({"key": ""}, "key"),
        ({"surprise": 1}, "surprise"),
        ({"recipe": {"quality": 0}}, "recipe.quality"),
        ({"recipe": {"endpoint_url": "http://elsewhere"}}, "recipe.endpoint_url"),
        ({"output": "ftp://x"}, "ftp://x"),
        ({"run": "no spaces"}, "run"),
        ({"key": "photos/" + "ä" * 600}, "1024 bytes"),
        ({"key": "elsewhere/b.jpg"}, "does not start with"),
    ],
)
def test_a_malformed_message_is_refused_by_field(change, named):
    with pytest.raises(InvalidMessageError, match=named):
        Job.from_message({**JOB.to_message(), **change})


def test_a_missing_field_is_named():
    message = JOB.to_message()
    del message["etag"]
    with pytest.raises(InvalidMessageError, match="etag"):
        Job.from_message(message)


def test_identity_tells_every_input_apart():
    variants = [
        JOB,
        JOB.model_copy(update={"bucket": "in2"}),
        JOB.model_copy(update={"key": "photos/a/c.jpg"}),
        JOB.model_copy(update={"etag": "4567"}),
        JOB.model_copy(update={"output": "s3://out/other"}),
        JOB.model_copy(update={"recipe": Recipe(quality=76)}),
    ]
    identities = {job.identity("model") for job in variants} | {JOB.identity("other model")}
    assert len(identities) == len(variants) + 1
    assert all(len(identity) == 64 for identity in identities)


def test_identity_is_that_of_the_content_whether_or_not_its_version_id_is_known():
    assert JOB.model_copy(update={"version": "v2"}).identity("model") == JOB.identity("model")


def test_identity_ignores_run_and_the_recipes_name():
    same = JOB.model_copy(update={"run": "another", "recipe": Recipe(name="renamed")})
    assert same.identity("m") == JOB.identity("m")


def test_the_hash_of_the_default_recipe_is_the_same_in_every_process():
    assert Recipe().hash == Recipe(name="x").hash
    assert Recipe().hash != Recipe(save_map=True).hash


def test_identity_does_not_mind_how_the_output_place_is_spelt():
    assert JOB.model_copy(update={"output": "s3://out/small/"}).identity("m") == JOB.identity("m")

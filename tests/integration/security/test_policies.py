"""The policies in `deploy/s3` against the requests that semjpeg makes."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
USERS = ("worker", "producer", "reader")
PLACES = {"SOURCE_BUCKET": "photos", "SOURCE_PREFIX": "in/", "OUTPUT_BUCKET": "photos-small", "OUTPUT_PREFIX": "out/"}
"""What stands for the placeholders of the policy files."""

ACTIONS = {
    "ListObjectsV2": ("s3:ListBucket",),
    "HeadObject": ("s3:GetObject", "s3:ListBucket"),  # without the second, what is missing is said to be forbidden
    "GetObject": ("s3:GetObject",),
    "PutObject": ("s3:PutObject",),
    "DeleteObject": ("s3:DeleteObject",),
    # What `doctor` asks without need, and goes on without an answer to.
    "ListBuckets": (),
    "HeadBucket": (),
    "GetBucketVersioning": (),
}


def allowed(user: str) -> set[tuple[str, str]]:
    """What a policy file allows, as pairs of an action and a pattern of resources."""
    policy = (ROOT / f"deploy/s3/{user}-policy.json").read_text()
    for name, value in PLACES.items():
        policy = policy.replace(name, value)
    pairs = set()
    for statement in json.loads(policy)["Statement"]:
        assert statement["Effect"] == "Allow"
        actions, resources = (
            [value] if isinstance(value, str) else value for value in (statement["Action"], statement["Resource"])
        )
        pairs |= {(action, resource.removeprefix("arn:aws:s3:::")) for action in actions for resource in resources}
    return pairs


@pytest.mark.parametrize("user", USERS)
def test_a_policy_allows_what_is_requested_and_nothing_more(story, user):
    requests = set()
    for _, operation, bucket, key in story.recorded(user):
        for action in ACTIONS[operation]:
            requests.add((action, f"{bucket}/{key}" if action != "s3:ListBucket" else bucket))
    pairs = allowed(user)
    for action, resource in requests:
        assert any(action == may and fnmatchcase(resource, pattern) for may, pattern in pairs), (action, resource)
    for may, pattern in pairs:
        assert any(action == may and fnmatchcase(resource, pattern) for action, resource in requests), (may, pattern)
    assert not any(pattern in {"*", "photos*"} or may == "s3:*" for may, pattern in pairs)

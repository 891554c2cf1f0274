"""What must hold when all is over, looked at from outside: the buckets, the broker, the pictures."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from system import KEY_PREFIX, OUTPUT, OUTPUT_PREFIX, OUTPUT_URL, SOURCE, SOURCE_URL
from world import PREFIX, middle, nearest_stamp

from config.jobs import Job
from config.objects import ObjectVersion
from config.places import ResultKeys
from config.recipes import Recipe, Route
from models.weights import SHIPPED, verify

if TYPE_CHECKING:
    from system import System
    from world import Version

_LEAST_PSNR_DB = 24.0
"""Against the newest version's own pixels; another crop of the photographs reaches half of it."""

_SHOWN = 80
"""Of a longer key a violation shows the ends."""


@dataclass
class Verdict:
    """What was found: amounts by name, and every violation as a line."""

    found: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    least_psnr_db: float = float("inf")


def judge(system: System, newest: dict[str, Version]) -> Verdict:
    """Look at all of the output place and at the broker."""
    verdict = Verdict()
    there = set(_keys(system, OUTPUT))
    model_hash = verify(SHIPPED)
    expected: set[str] = set()
    for key, version in newest.items():
        keys = ResultKeys.of(key.removeprefix(PREFIX), OUTPUT_PREFIX)
        problem = (_judge_failure if version.code else _judge_result)(system, version, keys, model_hash, verdict)
        if problem:
            verdict.violations.append(f"{_short(key)} (version {version.number}, {version.kind}): {problem}")
        if version.code:
            expected |= {keys.failure}
            if version.number and (leftover := {keys.jpeg, keys.metrics, keys.map} & there):
                verdict.found["results of earlier versions beside a newer failure"] += 1
                expected |= leftover
        else:
            expected |= {keys.jpeg, keys.metrics, keys.map}
    for surplus in sorted(there - expected):
        verdict.violations.append(f"nobody asked for {_short(surplus)}")
    _judge_leftovers(system, verdict)
    return verdict


def undone(system: System, newest: dict[str, Version]) -> list[Version]:
    """Return the versions that have neither their result nor their failure, by a quick look."""
    model_hash = verify(SHIPPED)
    return [version for version in newest.values() if not _is_done(system, version, model_hash)]


def _is_done(system: System, version: Version, model_hash: str) -> bool:
    keys = ResultKeys.of(version.key.removeprefix(PREFIX), OUTPUT_PREFIX)
    if version.code:
        failure = _get(system, keys.failure)
        return failure is not None and json.loads(failure[0])["etag"] == version.etag
    result = _get(system, keys.jpeg)
    return result is not None and result[1].get("semjpeg-job") == identity_of(version, model_hash)


def _judge_result(system: System, version: Version, keys: ResultKeys, model_hash: str, verdict: Verdict) -> str | None:
    if _etag(system, SOURCE, version.key) != version.etag:
        return "the store does not hold what was uploaded last: the harness is wrong"
    answer = _get(system, keys.jpeg)
    if answer is None:
        failure = _get(system, keys.failure)
        return f"no result; {failure[0].decode() if failure else 'no failure either'}"
    problem = _judge_picture(answer[0], version, verdict) or _judge_record(system, version, keys, answer, model_hash)
    if problem is None:
        verdict.found["right results"] += 1
    return problem


def _judge_picture(data: bytes, version: Version, verdict: Verdict) -> str | None:
    image = Image.open(io.BytesIO(data))
    image.load()
    if (image.format, image.size) != ("JPEG", (version.width, version.height)):
        return f"{image.format} of {image.size}, not a JPEG of {(version.width, version.height)}"
    pixels = np.asarray(image.convert("RGB"))
    shown = nearest_stamp(pixels[middle(version.height, version.width)].mean(axis=(0, 1)))
    if shown != version.number:
        return f"stale: shows version {shown}"
    psnr = 10 * np.log10(255**2 / np.mean((pixels.astype(float) - version.pixels) ** 2))
    verdict.least_psnr_db = min(verdict.least_psnr_db, float(psnr))
    if psnr < _LEAST_PSNR_DB:
        return f"{psnr:.1f} dB from its source: another picture"
    return None


def _judge_record(
    system: System, version: Version, keys: ResultKeys, answer: tuple[bytes, dict[str, Any]], model_hash: str
) -> str | None:
    data, metadata = answer
    identity = identity_of(version, model_hash)
    record = json.loads((_get(system, keys.metrics) or (b"{}", {}))[0])
    checks = {
        "metadata semjpeg-job": (metadata.get("semjpeg-job"), identity),
        "record's job": (record.get("job"), identity),
        "record's status": (record.get("status"), "done"),
        "record's etag": (record.get("etag"), version.etag),
        "record's model": (record.get("model_hash"), model_hash),
        "record's bytes": (record.get("bytes_out"), len(data)),
    }
    wrong = [f"{name} is {found}, not {right}" for name, (found, right) in checks.items() if found != right]
    return "; ".join(wrong) or None


def _judge_failure(system: System, version: Version, keys: ResultKeys, _model: str, verdict: Verdict) -> str | None:
    answer = _get(system, keys.failure)
    if answer is None:
        return f"no failure record; a result is {'there' if _get(system, keys.jpeg) else 'not there'}"
    record = json.loads(answer[0])
    if (record["code"], record["etag"]) != (version.code, version.etag):
        right = "the newest version" if record["etag"] == version.etag else "another version"
        return f"failed as {record['code']} ({record['reason']}) for {right}, not as {version.code}"
    if record["stale_result"] != (_get(system, keys.jpeg) is not None):
        return f"the failure's record says stale_result {record['stale_result']}, which is wrong"
    verdict.found["right failures"] += 1
    verdict.found[f"failures: {version.code}"] += 1
    return None


def _judge_leftovers(system: System, verdict: Verdict) -> None:
    for name, count in system.pending().items():
        if count:
            verdict.violations.append(f"{count} {name} left")
    for lost in system.begun():
        verdict.found["settled jobs still remembered for a death"] += 1
        if lost > 1:
            verdict.violations.append(f"a job is remembered for {lost} deaths")
    for message in system.redis.lrange(f"{KEY_PREFIX}put-aside", 0, -1):
        verdict.violations.append(f"put aside: {message.decode()[:300]}")
    for upload in system.s3.list_multipart_uploads(Bucket=OUTPUT).get("Uploads", []):
        verdict.violations.append(f"unfinished upload of {upload['Key']!r}")
    for name, count in system.done.items():
        if "by itself" in name or "hung" in name:
            verdict.violations.append(f"{name}: {count} times")


def identity_of(version: Version, model_hash: str) -> str:
    """Compute the identity of the job that the version's result must bear."""
    route = Route(source=SOURCE_URL, output=OUTPUT_URL)
    source = ObjectVersion(version.key, version.etag, size_bytes=0)  # a length is no part of the identity
    return Job.of(route, Recipe(save_map=True), source, run="chaos").identity(model_hash)


def _short(key: str) -> str:
    return repr(key) if len(key) <= _SHOWN else f"{key[:_SHOWN]!r}…{key[-_SHOWN // 4 :]!r}"


def _keys(system: System, bucket: str) -> list[str]:
    pages = system.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def _get(system: System, key: str) -> tuple[bytes, dict[str, Any]] | None:
    try:
        answer = system.s3.get_object(Bucket=OUTPUT, Key=key)
    except system.s3.exceptions.NoSuchKey:
        return None
    return answer["Body"].read(), {name.lower(): value for name, value in answer["Metadata"].items()}


def _etag(system: System, bucket: str, key: str) -> str:
    return str(system.s3.head_object(Bucket=bucket, Key=key)["ETag"]).strip('"')

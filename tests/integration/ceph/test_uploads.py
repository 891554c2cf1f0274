"""Uploads that the gateway announces over HTTP, and the pictures that come of them."""

from __future__ import annotations

import io
import json

from PIL import Image

PART_BYTES = 5 << 20
"""The least that the store takes as a part which is not the last."""


def width_of(farm, key: str) -> int:
    """Width of the result of a key."""
    return Image.open(io.BytesIO(farm.results.get(farm.job(key).result_keys.jpeg, max_bytes=10**8))).width


def test_an_upload_is_announced_and_becomes_a_result(farm, beside, announce, picture):
    announce(beside, farm.source, farm.output)
    farm.pictures.put("in/a b+ü.png", picture(72), content_type="image/png")
    farm.until(lambda: "done" in farm.told("in/a b+ü.png"))
    assert width_of(farm, "in/a b+ü.png") == 72


def test_a_webhook_that_is_not_shown_its_token_takes_nothing(farm, beside, serve, notify, picture, tmp_path):
    url = serve(beside, farm.source, farm.output)
    notify(farm.bucket, url.replace("semjpeg:", "semjpeg:x"))
    farm.pictures.put("a.png", picture(), content_type="image/png")

    def logged() -> list[dict]:
        lines = (tmp_path / "serve.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    farm.until(lambda: any(line["event"] == "refused" for line in logged()))
    assert {line["status"] for line in logged() if line["event"] == "refused"} == {401}
    assert not [line for line in logged() if line["event"] == "queued"]
    assert farm.told("a.png") == []
    assert farm.waiting() == 0


def test_an_upload_in_parts_becomes_one_result(farm, beside, announce, servers, picture):
    announce(beside, farm.source, farm.output)
    s3, whole = servers.client("s3"), picture(1600, 1200, compress_level=0)
    upload = {"Bucket": farm.bucket, "Key": "large.png"}
    upload |= {"UploadId": s3.create_multipart_upload(**upload, ContentType="image/png")["UploadId"]}
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=part)["ETag"]}
        for number, part in enumerate((whole[:PART_BYTES], whole[PART_BYTES:]), 1)
    ]
    assert farm.told("large.png") == []
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    farm.until(lambda: "done" in farm.told("large.png"))

    job = farm.job("large.png")
    assert job.etag.endswith("-2")
    assert farm.told("large.png").count("done") == 1
    assert width_of(farm, "large.png") == 1600
    assert farm.results.head(job.result_keys.jpeg).metadata["semjpeg-etag"] == job.etag
    farm.enqueue(job)
    farm.until(lambda: "unchanged" in farm.told("large.png"))


def test_an_overwritten_object_of_a_bucket_with_versions(farm, beside, announce, servers, picture):
    for name in (farm.bucket, f"{farm.bucket}-small"):
        servers.client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    announce(beside, farm.source, farm.output)
    farm.pictures.put("a.png", picture(72), content_type="image/png")
    farm.until(lambda: farm.told("a.png").count("done") == 1)
    older = farm.job("a.png")
    farm.pictures.put("a.png", picture(80), content_type="image/png")
    farm.until(lambda: farm.told("a.png").count("done") == 2)
    newer = farm.job("a.png")
    assert newer.version not in {None, older.version}
    assert width_of(farm, "a.png") == 80
    record = json.loads(farm.results.get(newer.result_keys.metrics, max_bytes=10**6))
    assert (record["etag"], record["version"]) == (newer.etag, newer.version)

    farm.enqueue(older)  # a notification that comes late
    farm.until(lambda: len(farm.told("a.png")) == 3)
    assert width_of(farm, "a.png") == 80
    assert farm.results.head(newer.result_keys.jpeg).metadata["semjpeg-etag"] == newer.etag

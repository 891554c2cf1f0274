"""What `semjpeg doctor` says to a user to whom the buckets are not open, and of a store without whims."""

from __future__ import annotations

import boto3

from config.recipes import Route
from semjpeg.doctor.checks import checks_for
from semjpeg.doctor.context import Context
from semjpeg.doctor.finding import Status
from semjpeg.doctor.runner import examine


def test_rights_are_tried_out_for_real(servers, bucket, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in {"ENDPOINT_URL": servers.endpoint, "REGION": "us-east-1", "ADDRESSING_STYLE": "path"}.items():
        monkeypatch.setenv(f"SEMJPEG_S3__{name}", value)
    client = servers.client("s3")
    client.put_object(Bucket=bucket, Key="in/a.jpg", Body=b"0123")
    pair = Route(source=f"s3://{bucket}/in", output=f"s3://{bucket}/out")

    def look() -> dict[tuple[str, str], tuple[Status, str]]:
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials that it found first
        context = Context.make("worker", pair)
        chosen = [c for c in checks_for(context) if c.name.partition(" ")[0] in {"store", "source", "output"}]
        return {(f.check.partition(" ")[0], f.name): (f.status, f.message + f.mend) for f in examine(chosen, context)}

    found = look()
    assert {status for status, _ in found.values()} == {Status.OK}, found
    for name, value in servers.stranger.items():
        monkeypatch.setenv(name, value)
    found = look()
    for place, right in (("source", "LIST"), ("output", "LIST"), ("output", "PUT")):
        status, text = found[place, right]
        assert status is Status.FAILED
        assert "Allow s3:" in text
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody-knows-this")
    status, text = look()["store", "login"]
    assert (status, "AWS_ACCESS_KEY_ID" in text) == (Status.FAILED, True)
    assert [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["in/a.jpg"]

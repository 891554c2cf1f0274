"""What the doctor says of stores that are not as they should be."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from email.utils import formatdate

import pytest

from config.recipes import Route
from semjpeg.doctor.checks import checks_for
from semjpeg.doctor.context import Context
from semjpeg.doctor.finding import Finding, Status
from semjpeg.doctor.runner import examine

PAIR = Route(source="s3://photos", output="s3://results")


@pytest.fixture
def look(stub) -> Callable[[], dict[tuple[str, str], Finding]]:
    """Makes the checks about the store; returns what they find by check and name, and sees that nothing is left."""

    def made() -> dict[tuple[str, str], Finding]:
        context = Context.make("worker", PAIR)
        chosen = [c for c in checks_for(context) if c.name.partition(" ")[0] in {"store", "source", "output"}]
        found = {(each.check.partition(" ")[0], each.name): each for each in examine(chosen, context)}
        assert list(stub.objects) == ["photos/a.jpg"]
        return found

    return made


def test_a_store_that_knows_no_conditions_is_a_warning(look):
    found = look()
    for name in ("If-None-Match", "If-Match"):
        assert found["output", name].status is Status.WARNING
        assert "conditional writes" in found["output", name].mend
    others = {each.status for (_, name), each in found.items() if not name.startswith("If-")}
    assert others == {Status.OK}, found


@pytest.mark.parametrize(("ahead_s", "status"), [(0, Status.OK), (-300, Status.WARNING), (2000, Status.FAILED)])
def test_the_clock_of_the_store(stub, look, ahead_s, status):
    stub.date = formatdate(time.time() + ahead_s, usegmt=True)
    found = look()["store", "clock"]
    assert found.status is status
    assert ("NTP" in found.mend) == (status is not Status.OK)


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        ("InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        ("RequestTimeTooSkewed", "NTP"),
    ],
)
def test_credentials_that_are_wrong_everywhere(stub, look, code, mend):
    stub.refuse = lambda _: ("403 Forbidden", code)
    found = look()
    assert found["store", "login"].status is Status.FAILED
    assert mend in found["store", "login"].mend
    assert found["source", "all of it"].status is Status.WARNING


@pytest.mark.parametrize(
    ("method", "path", "name", "right"),
    [
        ("GET", "/results/?", "LIST", "s3:ListBucket"),
        ("PUT", "/results/.+", "PUT", "s3:PutObject"),
        ("GET", "/results/.+", "HEAD and GET", "s3:GetObject"),
    ],
)
def test_a_right_that_is_missing_is_named_and_the_others_are_tried_out(stub, look, method, path, name, right):
    def refuse(request):
        if request["REQUEST_METHOD"] == method and re.fullmatch(path, request["PATH_INFO"]):
            return "403 Forbidden", "AccessDenied"
        return None

    stub.refuse = refuse
    found = look()
    assert found["output", name].status is Status.FAILED
    assert f"Allow {right} on s3://results/" in found["output", name].mend
    assert found["output", "DELETE"].status is Status.OK


def test_an_object_that_may_not_be_removed_is_named(stub):
    def refuse(request):
        return ("403 Forbidden", "AccessDenied") if request["REQUEST_METHOD"] == "DELETE" else None

    stub.refuse = refuse
    context = Context.make("worker", PAIR)
    chosen = [check for check in checks_for(context) if check.name.startswith("output")]
    [left] = [each for each in examine(chosen, context) if each.name == "DELETE"]
    assert left.status is Status.FAILED
    [key] = [key.removeprefix("results/") for key in stub.objects if key.startswith("results/")]
    assert key in left.message
    assert ".semjpeg/doctor/" in left.mend


def test_who_may_not_list_the_buckets_may_still_work(stub, look):
    def refuse(request):
        return ("403 Forbidden", "AccessDenied") if request["PATH_INFO"] == "/" else None

    stub.refuse = refuse
    found = look()
    assert found["store", "login"].status is Status.OK
    assert found["output", "PUT"].status is Status.OK


def test_checksums_that_the_store_rejects(stub, look, monkeypatch):
    def refuse(request):
        return ("400 Bad Request", "InvalidRequest") if "HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM" in request else None

    stub.refuse = refuse
    monkeypatch.setenv("SEMJPEG_S3__CHECKSUMS", "when_supported")
    assert "SEMJPEG_S3__CHECKSUMS=when_required" in look()["output", "PUT"].mend
    monkeypatch.setenv("SEMJPEG_S3__CHECKSUMS", "when_required")
    assert look()["output", "PUT"].status is Status.OK


def test_a_store_that_knows_paths_alone(stub, look, monkeypatch):
    monkeypatch.setenv("SEMJPEG_S3__ENDPOINT_URL", stub.endpoint.replace("127.0.0.1", "localhost"))
    monkeypatch.setenv("SEMJPEG_S3__ADDRESSING_STYLE", "virtual")

    def refuse(request):  # where names below localhost are known, else nothing comes here at all
        return None if request["HTTP_HOST"].startswith("localhost") else ("404 Not Found", "NoSuchBucket")

    stub.refuse = refuse
    found = look()["source", "LIST"]
    assert found.status is Status.FAILED
    assert "SEMJPEG_S3__ADDRESSING_STYLE=path" in found.mend


def test_another_region(stub, look):
    stub.headers = [("x-amz-bucket-region", "eu-west-3")]
    found = look()["source", "region"]
    assert found.status is Status.WARNING
    assert "SEMJPEG_S3__REGION=eu-west-3" in found.mend


def test_a_redirect_to_another_region(stub, look):
    stub.headers = [("x-amz-bucket-region", "eu-west-3")]
    stub.refuse = lambda request: ("301 Moved", "PermanentRedirect") if request["PATH_INFO"] != "/" else None
    found = look()["source", "LIST"]
    assert found.status is Status.FAILED
    assert "SEMJPEG_S3__REGION=eu-west-3" in found.mend


def test_a_store_that_is_away(look, monkeypatch):
    monkeypatch.setenv("SEMJPEG_S3__ENDPOINT_URL", "http://127.0.0.1:1")
    found = look()
    assert found["store", "address"].status is Status.FAILED
    assert "Start the store, set SEMJPEG_S3__ENDPOINT_URL" in found["store", "address"].mend
    assert "and-its-secret" not in str(found)


@pytest.mark.parametrize(
    ("endpoint", "mend"),
    [
        ("http://no-such-host.invalid:7070", "knows no 'no-such-host.invalid'"),
        ("127.0.0.1:7070", "http://host:port"),
    ],
)
def test_an_address_that_is_none(look, monkeypatch, endpoint, mend):
    monkeypatch.setenv("SEMJPEG_S3__ENDPOINT_URL", endpoint)
    found = look()["store", "address"]
    assert found.status is Status.FAILED
    assert mend in found.mend
    assert "SEMJPEG_S3__ENDPOINT_URL" in found.mend


def test_a_profile_that_is_missing(look, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    found = look()["store", "credentials"]
    assert found.status is Status.FAILED
    assert "AWS_PROFILE" in found.mend
    assert "AWS_ACCESS_KEY_ID" not in found.mend


def test_a_bucket_that_is_missing_can_be_made_by_the_command_that_is_told(stub, look):
    stub.refuse = lambda request: ("404 Not Found", "NoSuchBucket") if "/results" in request["PATH_INFO"] else None
    found = look()
    assert found["source", "GET"].status is Status.OK
    assert found["output", "LIST"].status is Status.FAILED
    assert f"aws s3 mb s3://results --endpoint-url {stub.endpoint};" in found["output", "LIST"].mend

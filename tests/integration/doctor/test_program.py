"""`semjpeg doctor` as a program beside real servers: all that it says, and how it ends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

from models.weights import SHIPPED, record_path
from semjpeg.doctor.finding import Status

SECRET = "pass-word-%2F-secret-77"  # noqa: S105 - recognisable, and nobody's


def run(*arguments: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    program = ["-c", code] if code else ["-m", "semjpeg"]
    return subprocess.run(
        [sys.executable, *program, "doctor", *arguments], capture_output=True, text=True, check=False, timeout=240
    )


def test_all_is_well_and_nothing_is_left_behind(servers, photos, keys_of, keys_in):
    client = servers.redis()
    before = keys_in(client)
    done = run(photos.source, photos.output, "--for", "worker", "--json")
    told = json.loads(done.stdout)
    assert [each for each in told["findings"] if each["status"] == "failed"] == [], done.stdout
    assert (done.returncode, done.stderr) == (0, "")
    assert told["status"] in {"ok", "warning"}  # the machine that runs this may have too little of something
    found = {(each["check"].partition(" ")[0], each["name"]): each for each in told["findings"]}
    for what in (
        ("settings", "read"),
        ("broker", "rights of a worker"),
        ("queues", "put aside"),
        ("store", "login"),
        ("source", "GET"),
        ("output", "If-None-Match"),
        ("output", "If-Match"),
        ("output", "overwriting"),
        ("output", "DELETE"),
        ("model", "map"),
        ("kernels", "machine code"),
    ):
        assert found[what]["status"] == "ok", found[what]
    assert "shipped" in found["model", "weights"]["message"]
    assert keys_of(photos) == []
    assert set(keys_in(client)) <= set(before)  # of those that were there some may have run out meanwhile


def test_a_damaged_network_is_named(look, environment, tmp_path):
    weights = tmp_path / "own.keras"
    content = bytearray(SHIPPED.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    shutil.copy(record_path(SHIPPED), record_path(weights))
    environment(MODEL__PATH=str(weights))
    found = look("model", role="worker")["model", "weights"]
    assert found.status is Status.FAILED
    assert str(weights) in found.message
    assert "SEMJPEG_MODEL__PATH" in found.mend


def test_ways_of_notifications(look, environment, servers, bucket):
    sqs = servers.client("sqs")
    url = sqs.create_queue(QueueName=bucket)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    name = f"doctor-list-{bucket}"
    environment(SQS__QUEUE_URL=url, EVENTS__REDIS_LIST=name)
    servers.redis().set(name, "no list", ex=60)
    found = look("events")
    assert "1 messages wait, 0 are being read" in found["events", "SQS"].message
    assert found["events", "Redis list"].status is Status.FAILED
    environment(SQS__QUEUE_URL=f"{url}-that-is-not-there", EVENTS__TOKEN=SECRET)
    servers.redis().delete(name)
    found = look("events")
    assert found["events", "SQS"].status is Status.FAILED
    assert "Create the queue" in found["events", "SQS"].mend
    assert found["events", "Redis list"].status is Status.OK
    assert "a token is set" in found["events", "webhook"].message


def test_a_producer_needs_no_pixels_and_a_worker_is_told_what_is_missing(photos):
    hidden = ["numpy", "PIL", "tensorflow", "keras", "numba"]
    code = (
        f"import sys\nfor name in {hidden!r}: sys.modules[name] = None\n"
        "from semjpeg.cli import main\nsys.argv = ['semjpeg', *sys.argv[1:]]\nmain()"
    )
    done = run(photos.source, photos.output, "--for", "producer", code=code)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok      source" in done.stdout
    done = run(code=code)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "model" not in done.stdout
    done = run("--for", "worker", code=code)
    assert done.returncode == 1
    assert "failed  model: packages: missing: numpy, keras, tensorflow" in done.stdout
    assert "pip install '.[worker]'" in done.stdout


def test_secrets_are_never_shown(servers, environment, photos, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aws-key-secret-77")
    address = servers.broker_url.rpartition("@")[2]
    environment(
        EVENTS__TOKEN=f"webhook-{SECRET}",
        EVENTS__REDIS_LIST="any",
        EVENTS__REDIS_URL=f"redis://user-secret-77:{SECRET}@{address}",
    )
    said = ""
    for url, form in (
        (servers.broker_url, ()),
        (f"redis://:{SECRET}@{address}", ("--json",)),
        (f"redis://{SECRET}@{address}", ()),
        (f"redis:/{SECRET}", ("--json",)),
    ):
        environment(BROKER__URL=url)
        done = run(photos.source, photos.output, "--for", "producer", *form)
        assert done.returncode == 1  # the list's password is wrong in any case
        said += done.stdout + done.stderr
    assert "secret-77" not in said
    assert servers.broker_url.partition(":")[2].partition("@")[0].strip("/:") not in said


def test_settings_that_cannot_be_read_are_a_finding_and_arguments_a_misuse(environment, photos):
    done = run(photos.source)
    assert done.returncode == 2
    done = run(photos.source, f"{photos.source}/below")
    assert done.returncode == 2
    assert "compressed again" in done.stderr
    environment(BROKR__URL="redis://127.0.0.1")
    done = run("--for", "producer", "--json")
    assert done.returncode == 1
    found = {(each["check"], each["name"]): each for each in json.loads(done.stdout)["findings"]}
    assert "SEMJPEG_BROKR__URL" in found["settings", "read"]["message"]
    assert found["machine", "Python"]["status"] == "ok"
    assert found["broker", "all of it"]["status"] == "warning"

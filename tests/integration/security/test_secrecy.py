"""Secrets are in no output, no log, no object and no key."""

from __future__ import annotations

import redis


def refuse(story, user: str, name: str, *command: str) -> None:
    """Start what tries for ever, with a wrong password, and end it when it has said so."""
    url = story.url(user).replace("-secret-", "-wrong-secret-")
    process = story.start(user, name, *command, SEMJPEG_BROKER__URL=url, SEMJPEG_EVENTS__REDIS_LIST="semjpeg:uploads")
    story.wait_for(lambda: "invalid username-password pair" in story.log(name))
    story.processes.forget(process)
    process.kill()
    process.wait()


def test_no_secret_is_shown_or_kept_anywhere(story):
    places = ("s3://photos/in", "s3://photos-small/out")
    refuse(story, "worker", "lost-worker", "worker")
    refuse(story, "producer", "lost-enqueue", "enqueue", *places)
    refuse(story, "producer", "lost-poll", "events", "poll", *places, "--from", "redis")
    for command in ("status", "failures list one", "report one"):
        url = story.url("reader").replace("-secret-", "-wrong-secret-")
        story.run("reader", *command.split(), expected=1, SEMJPEG_BROKER__URL=url)
    closed = "http://127.0.0.1:9"
    story.run("producer", "enqueue", "s3://photos/in", "s3://photos-small", expected=1, SEMJPEG_S3__ENDPOINT_URL=closed)
    story.run("producer", "status", expected=2, SEMJPEG_BROKER__URL=f"{story.url('reader')}&ssl_cert_reqs=none")
    story.run("producer", "events", "serve", "--help")

    texts = {f"said {number}": text for number, text in enumerate(story.said)}
    texts |= {log.name: log.read_text() for log in story.folder.glob("*.log")}
    texts["report"] = (story.folder / "report.html").read_text()
    s3 = story.s3()
    for found in s3.list_objects_v2(Bucket="photos-small")["Contents"]:
        answer = s3.get_object(Bucket="photos-small", Key=found["Key"])
        texts[found["Key"]] = answer["Body"].read().decode("latin-1") + str(answer["Metadata"])
    broker = redis.Redis(port=story.port, username="admin", password="any")  # noqa: S106 - takes any
    for key in broker.scan_iter():
        texts[str(key)] = (broker.dump(key) or b"").decode("latin-1") + str(key)
    assert len(texts) > 40
    assert [name for name, text in texts.items() if "-secret-" in text] == []

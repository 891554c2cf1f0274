from __future__ import annotations

import json
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import BrokerUnavailableError, ConfigurationError, InvalidMessageError
from config.settings import ProducerSettings, Settings
from config.telemetry import ProducerTelemetry
from producer.intake import Intake
from producer.limits import TokenBucket
from producer.polling import Room, meanwhile, poll
from producer.routing import Router
from producer.serving import Address, check, listener


class Queue:
    """Takes jobs in transactions, as the real one does."""

    def __init__(self) -> None:
        self.transactions: list[list[str]] = []
        self.away = False
        self.length = 0

    def publish(self, jobs) -> None:
        if self.away:
            raise BrokerUnavailableError("away")
        self.transactions.append([job.key for job in jobs])

    def waiting(self) -> int:
        if self.away:
            raise BrokerUnavailableError("away")
        return self.length


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def telemetry() -> ProducerTelemetry:
    return ProducerTelemetry(Settings(), "live")


@pytest.fixture
def intake(queue, telemetry) -> Intake:
    settings = Settings(routes=[{"source": "s3://photos", "output": "s3://small"}])
    return Intake(Router(settings, "run", buckets=None), queue, telemetry)


@pytest.fixture
def counted(telemetry):
    """Events by answer."""
    answers = ("queued", "passed_over", "refused", "malformed")
    return lambda: [telemetry.registry.get_sample_value("semjpeg_events_total", {"answer": a}) for a in answers]


def test_events_are_counted_by_what_becomes_of_them(dialects, queue, intake, counted):
    good, other, unwanted = (dialects.aws(key)["Records"][0] for key in ("a.jpg", "b.png", "notes.txt"))
    intake.take(json.dumps({"Records": [good, {"eventName": 5}, other, unwanted]}))
    assert counted() == [2, 1, 0, 1]
    with pytest.raises(InvalidMessageError):
        intake.take("{")
    intake.refuse()
    assert counted() == [2, 1, 1, 2]
    queue.away = True
    with pytest.raises(BrokerUnavailableError):
        intake.take(json.dumps({"Records": [good, {"eventName": 5}]}))
    assert counted() == [2, 1, 1, 2]


def test_a_message_is_queued_at_once_less_what_is_malformed(dialects, queue, intake):
    good, other = (dialects.aws(key)["Records"][0] for key in ("a.jpg", "b.png"))
    taken = intake.take(json.dumps({"Records": [good, {"eventName": 5}, other]}))
    assert queue.transactions == [["a.jpg", "b.png"]]
    assert taken.queued == 2
    assert len(taken.malformed) == 1


def test_what_concerns_no_route_does_not_touch_the_broker(dialects, queue, intake):
    queue.away = True
    assert intake.take(json.dumps(dialects.aws("notes.txt"))).queued == 0


def test_a_broker_that_is_away_and_a_malformed_message_are_told(dialects, queue, intake):
    queue.away = True
    with pytest.raises(BrokerUnavailableError):
        intake.take(json.dumps(dialects.aws("a.jpg")))
    with pytest.raises(InvalidMessageError):
        intake.take("{}")


def test_room_has_two_marks(queue):
    room = Room(queue, ProducerSettings(high_water=10, low_water=5))
    seen = []
    for queue.length in (9, 10, 9, 6, 5, 9, 11):
        seen.append(room.is_full())
    assert seen == [False, True, True, True, False, False, True]


def test_a_poller_pauses_and_goes_on(queue):
    stop = threading.Event()
    pauses = []
    stop.wait = pauses.append  # type: ignore[method-assign, assignment]
    answers = iter(
        [None, BrokerUnavailableError("away"), BrokerUnavailableError("away"), None, BrokerUnavailableError()]
    )

    def poll_once() -> int:
        answer = next(answers, None)
        if isinstance(answer, Exception):
            raise answer
        if len(pauses) == 3:
            stop.set()
        return 1

    poll(poll_once, Room(queue, ProducerSettings()), stop)
    assert pauses == [1, 2, 1]


def test_a_full_queue_keeps_a_poller_from_taking(queue):
    stop = threading.Event()
    queue.length = 10
    looks = []

    def wait(seconds: float) -> bool:
        looks.append(seconds)
        queue.length -= 1
        return False

    stop.wait = wait  # type: ignore[method-assign, assignment]

    def poll_once() -> int:
        assert queue.length == 5
        stop.set()
        return 1

    poll(poll_once, Room(queue, ProducerSettings(high_water=10, low_water=5)), stop)
    assert len(looks) == 5


def test_meanwhile_acts_until_the_block_ends():
    acted = threading.Semaphore(0)
    with meanwhile(acted.release, 0.001):
        assert all(acted.acquire(timeout=60) for _ in range(3))
    threads = [thread for thread in threading.enumerate() if thread.name == "meanwhile"]
    assert threads == []


def test_a_burst_passes_and_then_the_pace_holds():
    now = [0.0]
    bucket = TokenBucket(2, 3, clock=lambda: now[0])
    assert [bucket.wait_s() for _ in range(4)] == [0, 0, 0, 0.5]
    now[0] = 0.5
    assert [bucket.wait_s() for _ in range(2)] == [0, 0.5]
    now[0] = 1000.0
    assert [bucket.wait_s() for _ in range(4)] == [0, 0, 0, 0.5]


@given(steps=st.lists(st.floats(0, 5), max_size=60), per_s=st.floats(0.1, 50), burst=st.integers(1, 20))
def test_no_more_than_the_burst_and_the_pace_pass(steps, per_s, burst):
    now = [0.0]
    bucket = TokenBucket(per_s, burst, clock=lambda: now[0])
    passed = 0
    for step in steps:
        now[0] += step
        wait_s = bucket.wait_s()
        passed += not wait_s
        assert wait_s <= 1 / per_s + 1e-9
        assert passed <= burst + per_s * now[0] + 1e-6


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104 - refused
def test_other_machines_need_a_token(host):
    check(Address(host, 1), has_token=True)
    with pytest.raises(ConfigurationError, match=r"events\.token"):
        check(Address(host, 1), has_token=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.9.10"])
def test_this_machine_needs_none(host):
    check(Address(host, 1), has_token=False)


def test_files_for_tls_are_looked_for(tmp_path):
    certificate = tmp_path / "certificate.pem"
    with pytest.raises(ConfigurationError, match="is no file"):
        check(Address("::1", 1, certificate), has_token=False)
    with pytest.raises(ConfigurationError, match="needs its certificate"):
        check(Address("::1", 1, None, certificate), has_token=False)


def test_small_answers_do_not_wait_and_a_taken_port_is_told():
    with listener(Address("127.0.0.1", 0)) as listening:
        assert listening.proto == socket.IPPROTO_TCP  # asyncio sets TCP_NODELAY where it sees this
        port = listening.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"cannot listen at 127.0.0.1, port {port}"):
            listener(Address("127.0.0.1", port))


def test_a_short_token_is_refused(monkeypatch):
    monkeypatch.setenv("SEMJPEG_EVENTS__TOKEN", "hunter2")
    with pytest.raises(ConfigurationError, match=r"events\.token") as caught:
        Settings.load()
    assert "hunter2" not in str(caught.value)

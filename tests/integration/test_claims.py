"""Claims on a real broker: one holder at a time, kept by a heartbeat, and what becomes of those whose process died."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import uuid4

import pytest
import redis

from config.errors import BrokerUnavailableError, JobInFlightError, PermanentError, WorkerLostError
from worker.claim import Claim, Claims, begun_key, claim_key
from worker.company import Company
from worker.heartbeat import Heartbeat

PATIENCE_S = 60
VISIBILITY_S = 3.0
"""A lease is half of it: so long that no busy machine keeps a renewal waiting for all of it."""


def wait_for(ready: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture
def claims(servers) -> Iterator[Callable[[], Claims]]:
    """Make claimants, each as if it were a process of its own, under one key prefix."""
    prefix, beating = f"test-{uuid4().hex}:", []

    def make(visibility_timeout_s: float = 60) -> Claims:
        heartbeat = Heartbeat(servers.redis(), prefix, visibility_timeout_s)
        beating.append(heartbeat)
        return Claims(servers.redis(), prefix, heartbeat, Company())

    make.prefix = prefix
    make.beating = beating
    yield make
    for heartbeat in beating:
        heartbeat.close()


def test_one_holds_a_claim_and_gives_it_back(claims, servers):
    first, second = claims(), claims()
    with first.hold("job"):
        with pytest.raises(JobInFlightError), second.hold("job"):
            pass
        with second.hold("another"):
            pass
    with second.hold("job"):
        pass
    assert servers.redis().keys(f"{claims.prefix}*") == []


def test_a_claim_is_renewed_while_it_is_held(claims):
    first, second = claims(VISIBILITY_S), claims(VISIBILITY_S)
    with first.hold("job") as claim:
        for _ in range(15):
            time.sleep(VISIBILITY_S / 6)
            claim.check()
            with pytest.raises(JobInFlightError), second.hold("job"):
                pass


def test_a_claim_that_redis_lost_is_not_trusted_and_not_taken_from_its_next_owner(claims, servers):
    first, second = claims(), claims()
    client = servers.redis()
    with first.hold("job") as claim:
        client.delete(claim_key(claims.prefix, "job"))
        with second.hold("job") as next_claim:
            claims.beating[0].beat()
            with pytest.raises(JobInFlightError, match="lost its claim"):
                claim.check()
            claims.beating[1].beat()
            next_claim.check()
            owner = client.get(claim_key(claims.prefix, "job"))
    with first.hold("job") as claim, second.hold("other"):
        assert client.get(claim_key(claims.prefix, "job")) != owner
        claim.check()


def test_a_pause_longer_than_the_lease_ends_a_claim(claims, monkeypatch):
    with claims().hold("job") as claim:
        claim.check()
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 31)
        with pytest.raises(JobInFlightError):
            claim.check()


@pytest.fixture
def die_with(claims, servers):
    """Begin a job in a process of its own that ends there and then."""

    def die_with(identity: str) -> None:
        dying.append(claims().hold(identity))
        dying[-1].__enter__()
        claims.beating[-1].close()
        servers.redis().delete(claim_key(claims.prefix, identity))

    dying = []  # what holds a claim gives it back when it is collected
    return die_with


def test_a_job_that_three_workers_died_with_is_not_begun_again(claims, die_with, servers):
    for _ in range(3):
        die_with("job")
    with pytest.raises(WorkerLostError, match="3 workers died"), claims().hold("job"):
        pass
    with claims().hold("another"):
        pass
    servers.redis().delete(begun_key(claims.prefix, "job"))
    with claims().hold("job"):
        pass


def test_a_job_that_a_worker_died_with_waits_to_be_alone_with_its_claim_and_without_having_begun(
    claims, die_with, servers
):
    die_with("suspect")
    claimant, client, alone, done = claims(VISIBILITY_S), servers.redis(), threading.Event(), threading.Event()

    def attempt() -> None:
        with claimant.hold("suspect"):
            alone.set()
            done.wait()

    with ThreadPoolExecutor(2) as pool:
        with claimant.hold("job"):
            suspect = pool.submit(attempt)
            for _ in range(15):
                time.sleep(VISIBILITY_S / 6)
                with pytest.raises(JobInFlightError), claims().hold("suspect"):
                    pass
            assert not alone.is_set()
            assert client.scard(begun_key(claims.prefix, "suspect")) == 1
        assert alone.wait(PATIENCE_S)
        assert client.scard(begun_key(claims.prefix, "suspect")) == 2
        done.set()
        suspect.result()
    assert client.keys(f"{claims.prefix}*") == []


def test_nobody_begins_alone_before_the_others_are_known_to_have_ended(claims, die_with, servers, monkeypatch):
    """Else a death in between would count for them, too."""
    die_with("suspect")
    claimant, client = claims(), servers.redis()
    give_back = claims.beating[-1]._give_back

    def take_long(ended: list[Claim]) -> None:
        time.sleep(0.3)
        give_back(ended)

    def others() -> int:
        with claimant.hold("suspect"):
            return client.exists(begun_key(claims.prefix, "job"))

    monkeypatch.setattr(claims.beating[-1], "_give_back", take_long)
    with ThreadPoolExecutor(1) as pool:
        with claimant.hold("job"):
            suspect = pool.submit(others)
            wait_for(lambda: client.exists(claim_key(claims.prefix, "suspect")))
        assert suspect.result(PATIENCE_S) == 0


def test_a_claim_that_was_lost_while_it_waited_does_not_begin(claims, die_with, servers):
    die_with("suspect")
    claimant, client = claims(), servers.redis()
    with ThreadPoolExecutor(1) as pool:
        with claimant.hold("job"):
            suspect = pool.submit(lambda: claimant.hold("suspect").__enter__())
            wait_for(lambda: client.exists(claim_key(claims.prefix, "suspect")))
            client.delete(claim_key(claims.prefix, "suspect"))
        with pytest.raises(JobInFlightError, match="while it waited"):
            suspect.result(PATIENCE_S)
    assert client.scard(begun_key(claims.prefix, "suspect")) == 1


@pytest.mark.parametrize("end", [None, PermanentError("for good")])
def test_a_job_that_is_settled_after_a_death_leaves_nothing_behind(claims, die_with, servers, end):
    die_with("job")
    with suppress(PermanentError), claims().hold("job"):
        if end:
            raise end
    assert servers.redis().keys(f"{claims.prefix}*") == []


def test_attempts_that_end_with_an_error_are_no_deaths(claims):
    claimant = claims()
    for _ in range(5):
        with pytest.raises(ValueError, match="wrong"), claimant.hold("job"):
            raise ValueError("wrong")


def test_a_claim_is_given_back_once_the_broker_answers_again(claims, servers):
    prefix, client = f"test-{uuid4().hex}:", servers.redis()
    heartbeat = Heartbeat(client, prefix, 60)
    claims.beating.append(heartbeat)
    pool = client.connection_pool
    with Claims(servers.redis(), prefix, heartbeat, Company()).hold("job"):
        client.connection_pool = redis.ConnectionPool(port=1, socket_connect_timeout=0.1)
    assert servers.redis().exists(begun_key(prefix, "job"))
    client.connection_pool = pool
    heartbeat.beat()
    assert servers.redis().keys(f"{prefix}*") == []


def test_what_a_process_gives_back_is_anothers_at_once_and_its_own_no_more(claims, servers):
    """As when a worker ends while its threads still compute; these stay, so they must be daemons."""
    first, second = claims(), claims()
    begun, go_on, ended, refused = threading.Event(), threading.Event(), threading.Event(), threading.Event()

    def compute() -> None:
        try:
            with first.hold("job") as claim:
                begun.set()
                go_on.wait(PATIENCE_S)
                try:
                    claim.check()
                except JobInFlightError:
                    refused.set()
                    raise
        finally:
            ended.set()

    def come_late() -> None:
        with first.hold("late"):
            ended.set()

    threading.Thread(target=compute, daemon=True).start()
    assert begun.wait(PATIENCE_S)
    assert len(claims.beating[0].give_back()) == 1
    assert servers.redis().keys(f"{claims.prefix}*") == []
    with second.hold("job") as claim:
        claims.beating[0].beat()
        go_on.set()
        assert refused.wait(PATIENCE_S)
        claims.beating[1].beat()
        claim.check()
    threading.Thread(target=come_late, daemon=True).start()
    assert not ended.wait(1)
    assert servers.redis().keys(f"{claims.prefix}*") == []


def test_a_broker_that_is_away_is_retryable(claims):
    claims()
    nobody = redis.Redis(port=1, socket_connect_timeout=0.2)
    with pytest.raises(BrokerUnavailableError), Claims(nobody, "x", claims.beating[0], Company()).hold("job"):
        pass


def test_a_beat_moves_a_message_on_but_never_brings_one_back(claims, servers):
    claims()
    [heartbeat], client = claims.beating, servers.redis()
    index = f"{claims.prefix}unacked_index"
    client.zadd(index, {"ours": 1, "another's": 1})
    with heartbeat.message("ours"), heartbeat.message("acknowledged"), heartbeat.message(None):
        heartbeat.beat()
    assert abs(client.zscore(index, "ours") - time.time()) < 30
    assert client.zscore(index, "another's") == 1
    assert client.zscore(index, "acknowledged") is None

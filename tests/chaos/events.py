"""Between the store's notifications and the poller: some get lost, some come twice, none in order."""

from __future__ import annotations

import heapq
import itertools
import json
import random
import threading
import time
from collections import Counter
from typing import Any

LOST = 0.05
TWICE = 0.2
_LATEST_S = 6.0
_GARBAGE = 0.005
_PAUSE_S = 0.2


class EventFilter:
    """Takes messages from one SQS queue and brings most of them to another, in an order of its own."""

    def __init__(self, sqs: Any, source_url: str, target_url: str, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.lost: set[str] = set()
        """Entity tags of the versions of which nobody heard."""
        self.calm = False
        """Once set, what comes goes on at once and untouched."""
        self._sqs = sqs
        self._source, self._target = source_url, target_url
        self._random = random.Random(seed)  # noqa: S311 - a seed is what is wanted
        self._held: list[tuple[float, int, str]] = []
        self._number = itertools.count()
        self._ended = threading.Event()
        self._idle = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    @property
    def empty(self) -> bool:
        """Whether nothing is held back and the last look found nothing."""
        return self._idle.is_set() and not self._held

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_PAUSE_S):
            answer = self._sqs.receive_message(QueueUrl=self._source, MaxNumberOfMessages=10, WaitTimeSeconds=0)
            messages = answer.get("Messages", [])
            if messages:
                self._idle.clear()
            for message in messages:
                self._take(message["Body"])
                self._sqs.delete_message(QueueUrl=self._source, ReceiptHandle=message["ReceiptHandle"])
            while self._held and (self.calm or self._held[0][0] <= time.monotonic()):
                self._sqs.send_message(QueueUrl=self._target, MessageBody=heapq.heappop(self._held)[2])
            if not messages:
                self._idle.set()

    def _take(self, body: str) -> None:
        self.counts["seen"] += 1
        if self.calm:
            self._hold(body)
            return
        if self._random.random() < _GARBAGE:
            self.counts["garbage"] += 1
            self._hold(body[: len(body) // 2])
        if self._random.random() < LOST:
            self.counts["lost"] += 1
            self.lost |= {record["s3"]["object"]["eTag"].strip('"') for record in json.loads(body).get("Records", [])}
            return
        self._hold(body)
        if self._random.random() < TWICE / (1 - LOST):
            self.counts["twice"] += 1
            self._hold(body)

    def _hold(self, body: str) -> None:
        due = time.monotonic() + self._random.uniform(0, _LATEST_S)
        heapq.heappush(self._held, (due, next(self._number), body))

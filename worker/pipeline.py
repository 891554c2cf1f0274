"""One image, end to end: claim → fetch → probe → decode → map → encode → verify → publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import codec
from worker.claim import claim
from worker.decode import decode
from worker.encode import encode
from worker.fetch import fetch
from worker.measure import measure, measure_full
from worker.outcome import Outcome, Status
from worker.probe import probe
from worker.publish import is_done, publish
from worker.records import Finished, metrics_record
from worker.stages import Stages
from worker.verify import verify

if TYPE_CHECKING:
    from config.jobs import Job
    from worker.node import Node

_LEASE_MARGIN_S = 120.0
"""A claim outlives the deadline: the stage in which the time ran out may still be at work."""


def process(job: Job, node: Node) -> Outcome:
    """Do a job, unless it is done already.

    Raises:
        RetryableError: Storage or broker were away, or another worker is at it.
        ObjectChangedError: The source was overwritten; its newest version is another job.
        PermanentError: There will be no result; the message says what is wrong with the object.
    """
    limits = node.settings.limits
    identity = job.identity(node.maps.model.sha256)
    claim_name = f"{node.settings.broker.key_prefix}claim:{identity}"
    with claim(node.redis, claim_name, limits.deadline_s + _LEASE_MARGIN_S):
        output = node.stores.open(job.output_place.bucket)
        if is_done(output, job, identity):
            return Outcome(Status.UNCHANGED)
        stages = Stages(limits.deadline_s)
        with stages.stage("fetch"):
            data = fetch(node.stores.open(job.bucket), job, limits)
        with stages.stage("probe"):
            source = probe(data, limits)
        with stages.stage("decode"):
            picture = decode(source)
        with stages.stage("map"):
            importance = node.maps.map_of(picture.pixels)
        with stages.stage("encode"):
            result = encode(source, picture, importance, job.recipe)
        with stages.stage("verify"):
            decoded = verify(result.data, picture, limits)
        with stages.stage("metrics"):
            metrics = measure(picture, decoded, importance)
        with stages.stage("full_metrics"):
            metrics |= measure_full(job, picture, decoded, node.settings.metrics)
        with stages.stage("libjpeg"):
            quality = job.recipe.libjpeg_quality
            libjpeg_bytes = None if quality is None else codec.libjpeg_bytes(picture.pixels, quality)
        seconds = {**stages.seconds, "total": stages.elapsed_s}
        finished = Finished(identity, node.maps.model.sha256, source, result, libjpeg_bytes, metrics, seconds)
        with stages.stage("publish"):
            publish(output, job, identity, result.data, metrics_record(job, finished), importance)
        return Outcome(
            Status.DONE,
            bytes_in=len(data),
            bytes_out=len(result.data),
            libjpeg_bytes=libjpeg_bytes or 0,
            pixels=source.width * source.height,
        )

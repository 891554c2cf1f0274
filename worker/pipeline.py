"""One image, end to end: claim → fetch → probe → decode → map → encode → verify → publish."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import codec
from worker.decode import decode
from worker.encode import encode
from worker.fetch import fetch
from worker.measure import measure, measure_full
from worker.memory import bytes_to_fetch, bytes_to_process
from worker.outcome import Outcome, Status
from worker.probe import probe
from worker.publish import is_done, publish
from worker.records import Finished
from worker.stages import Stages
from worker.verify import verify

if TYPE_CHECKING:
    from config.jobs import Job
    from worker.claim import Claim
    from worker.memory import Share
    from worker.node import Node


def process(job: Job, node: Node) -> Outcome:
    """Do a job, unless it is done already.

    Raises:
        RetryableError: Storage or broker were away, or another worker is at it.
        ObjectChangedError: The source was overwritten; its newest version is another job.
        PermanentError: There will be no result; the message says what is wrong with the object.
    """
    identity = job.identity(node.maps.model.sha256)
    with node.claims.hold(identity) as claim:
        if is_done(node.stores.open(job.output_place.bucket), job, identity):
            return Outcome(Status.UNCHANGED)
        stages = Stages(node.settings.limits.deadline_s)
        with ExitStack() as memory:
            with stages.waiting():
                share = memory.enter_context(node.memory.share(bytes_to_fetch(job, node.settings.limits)))
            return _compress(job, node, claim, stages, share)


def _compress(job: Job, node: Node, claim: Claim, stages: Stages, share: Share) -> Outcome:
    """Make and publish the result. All that it takes much memory for is gone when it returns."""
    limits = node.settings.limits
    origin, output = node.stores.open(job.bucket), node.stores.open(job.output_place.bucket)
    with stages.stage("fetch"):
        data = fetch(origin, job, limits)
    with stages.stage("probe"):
        source = probe(data, limits)
    with stages.waiting():
        share.grow(bytes_to_process(job, source, node.settings.metrics))
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
    model = node.maps.model.sha256
    seconds = {**stages.seconds, "total": stages.elapsed_s}
    finished = Finished(job.identity(model), model, source, result, libjpeg_bytes, metrics, seconds)
    with stages.stage("publish"):
        claim.check()
        written = publish(output, origin, job, finished, importance)
    if not written:
        return Outcome(Status.UNCHANGED)
    return Outcome(
        Status.DONE,
        bytes_in=len(data),
        bytes_out=len(result.data),
        libjpeg_bytes=libjpeg_bytes or 0,
        pixels=source.width * source.height,
    )

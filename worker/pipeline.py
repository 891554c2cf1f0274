"""One image, end to end: claim → fetch → probe → decode → map → encode → verify → publish."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import codec
from models import prepare, refine
from worker.decode import decode
from worker.encode import encode
from worker.fetch import fetch
from worker.measure import measure, measure_full
from worker.memory import bytes_to_fetch, bytes_to_process
from worker.outcome import Outcome, Status
from worker.probe import probe
from worker.publish import Output, publish
from worker.records import Finished
from worker.stages import Stages
from worker.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from config.jobs import Job
    from config.telemetry import Flight
    from worker.claim import Claim
    from worker.memory import Share
    from worker.node import Node
    from worker.tools import Tools

    Map = NDArray[np.float32]


def process(job: Job, node: Node) -> Outcome:
    """Do a job, unless it is done already.

    Raises:
        RetryableError: Storage or broker were away, or another worker is at it.
        ObjectChangedError: The source was overwritten; its newest version is another job.
        PermanentError: There will be no result; the message says what is wrong with the object.
    """
    identity = job.identity(node.model_hash)
    with node.telemetry.in_flight() as flight, node.claims.hold(identity) as claim:
        output = Output.look(node.stores.open(job.output_place.bucket), job)
        if output.made_by == identity:
            return Outcome(Status.UNCHANGED)
        stages = Stages(node.settings.limits.deadline_s, partial(_told, node, flight))
        with ExitStack() as memory:
            with stages.waiting():
                share = memory.enter_context(node.tools.memory.share(bytes_to_fetch(job, node.settings.limits)))
            return _compress(job, node, claim, stages, share, output)


@contextmanager
def _told(node: Node, flight: Flight, stage: str) -> Iterator[None]:
    """Tell of a stage, in metrics and traces."""
    with flight.stage(stage), node.tracing.span(stage):
        yield


def _compress(job: Job, node: Node, claim: Claim, stages: Stages, share: Share, output: Output) -> Outcome:
    """Make and publish the result. All that it takes much memory for is gone when it returns."""
    origin = node.stores.open(job.bucket)
    with stages.stage("fetch"):
        data = fetch(origin, job, node.settings.limits)
    finished, importance = make(job, data, node.tools, stages, share)
    with stages.stage("publish"):
        claim.check()
        written = publish(output, origin, job, finished, importance)
    if not written:
        return Outcome(Status.UNCHANGED)
    node.telemetry.done(
        source_bytes=len(data),
        result_bytes=len(finished.result.data),
        pixels=finished.pixels,
        seconds=stages.elapsed_s,
    )
    return Outcome(
        Status.DONE,
        bytes_in=len(data),
        bytes_out=len(finished.result.data),
        libjpeg_bytes=finished.libjpeg_bytes or 0,
        pixels=finished.pixels,
    )


def make(job: Job, data: bytes, tools: Tools, stages: Stages, share: Share) -> tuple[Finished, Map]:
    """Make a result of a source's bytes. As many images as there are cores compute at a time.

    Returns:
        The verified result with all that is known of it, and the importance map.

    Raises:
        DeadlineExceededError: It takes too long.
        PermanentError: There will be no result; the message says what is wrong with the source.
    """
    limits, model = tools.settings.limits, tools.maps.model.sha256
    with stages.stage("probe"):
        source = probe(data, limits)
    with stages.waiting():
        share.grow(bytes_to_process(job, source, tools.settings.metrics))
    with stages.core(tools.cores):
        with stages.stage("decode"):
            picture = decode(source)
        with stages.stage("map"):
            prepared = prepare(picture.pixels)
    with stages.stage("map"):
        coarse = tools.maps.coarse_map(prepared)
    with stages.core(tools.cores):
        with stages.stage("map"):
            importance = refine(prepared, coarse)
        with stages.stage("encode"):
            result = encode(source, picture, importance, job.recipe)
        with stages.stage("verify"):
            decoded = verify(result.data, picture, limits)
        with stages.stage("metrics"):
            metrics = measure(picture, decoded, importance)
        with stages.stage("full_metrics"):
            metrics |= measure_full(job, picture, decoded, tools.settings.metrics)
        with stages.stage("libjpeg"):
            libjpeg_bytes, quality = result.libjpeg_bytes, job.recipe.libjpeg_quality
            if libjpeg_bytes is None and quality is not None:
                libjpeg_bytes = codec.libjpeg_bytes(picture.pixels, quality)
    seconds = {**stages.seconds, "total": stages.elapsed_s}
    return Finished(job.identity(model), model, source, result, libjpeg_bytes, metrics, seconds), importance

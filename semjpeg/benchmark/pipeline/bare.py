"""The bare work, without broker and store: `python -m semjpeg.benchmark.pipeline.bare TIMES FILE…`.

It does to local files what a worker does between download and upload, on all cores that it may use, with as many
pictures in flight as a worker has, and prints JSON: images, seconds, those of processor time, and the mean batch.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from config.jobs import Job
from config.recipes import Recipe
from config.settings import Settings
from worker.pipeline import make
from worker.stages import Stages
from worker.tools import Tools


def main() -> None:
    """Warm up, work, and tell how long it took."""
    times, paths = int(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    settings = Settings.load()
    batches: list[int] = []
    tools = Tools.start(settings)
    tools.maps.tell = lambda pictures, _seconds: batches.append(pictures)

    def compress(path: Path) -> int:
        job = Job(
            run="bare",
            bucket="bare",
            key=path.name,
            etag="-",
            size=path.stat().st_size,
            output="s3://-",
            recipe=Recipe(),
        )
        with tools.memory.share(job.size) as share:
            finished, _ = make(job, path.read_bytes(), tools, Stages(settings.limits.deadline_s), share)
        return len(finished.result.data)

    with ThreadPoolExecutor(settings.worker.threads) as pool:
        list(pool.map(compress, paths[: settings.worker.threads]))
        batches.clear()
        began, spent_s = time.perf_counter(), time.process_time()
        done = list(pool.map(compress, paths * times))
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - spent_s
    tools.close()
    sys.stdout.write(
        json.dumps(
            {
                "images": len(done),
                "seconds": seconds,
                "cpu_s": cpu_s,
                "mean_batch": statistics.fmean(batches),
                "batch_size": settings.worker.batch_size,
                "threads": settings.worker.threads,
            }
        )
    )


if __name__ == "__main__":
    main()

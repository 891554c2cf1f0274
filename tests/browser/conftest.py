"""A real browser, and a page made from what workers leave: objects, results, maps and records in folders."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

import codec
from config.jobs import Job
from config.recipes import Recipe
from config.settings import LimitSettings, Settings, StorageSettings
from semjpeg.api import encode_file
from semjpeg.report.page import write_page
from semjpeg.report.rows import Row
from semjpeg.report.summary import FailureGroup, Histogram, Maker, Summary
from storage import Stores
from worker.decode import decode
from worker.probe import probe
from worker.publish import Output, publish
from worker.records import Finished
from worker.verify import verify

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
RED, GREEN, BLUE = (200, 40, 30), (30, 150, 50), (40, 60, 190)
HOSTILE = "<img src=x onerror=\"document.title='owned'\">.jpg"
CLOSING = "</script><script>document.title='owned'</script>\u2028\u202egpj.png"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.fail(f"these tests drive a browser, and none of {', '.join(BROWSERS)} is on the PATH")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=arguments)
        yield running
        running.close()


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def striped(colour: tuple[int, int, int], size: tuple[int, int]) -> bytes:
    """A picture of one colour with a dark line in every 16 rows, and noise, so that there are bytes to save."""
    pixels = np.random.default_rng(7).normal(colour, 6, (size[1], size[0], 3))
    pixels[::16] /= 2
    return png(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))


@dataclass
class Run:
    """Folders with sources and results, and a row for each image."""

    root: Path
    rows: list[Row] = field(default_factory=list)

    @property
    def stores(self) -> Stores:
        return Stores(Settings(storage=StorageSettings(local_root=self.root)))

    def add(self, key: str, data: bytes, *, shown_as: bytes | None = None, save_map: bool = True) -> Row:
        """Do what a worker does; `shown_as` is encoded in the place of the source, to tell the two sides apart."""
        source, output = f"file://{self.root}/in", f"file://{self.root}/out"
        self.stores.open(source).put(key, data, content_type="")
        found = self.stores.open(source).head(key)
        recipe = Recipe(save_map=save_map)
        job = Job(run="r", bucket=source, key=key, etag=found.etag, size=len(data), output=output, recipe=recipe)
        importance = np.zeros((8, 8), np.float32)
        importance[:, 4:] = 1
        encoded = shown_as or data
        result = encode_file(encoded, recipe, LimitSettings(), importance)
        picture = decode(probe(encoded, LimitSettings()))
        metrics = codec.measure(picture.pixels, verify(result.data, picture, LimitSettings()), importance)
        identity = job.identity("0" * 64)
        finished = Finished(identity, "0" * 64, probe(encoded, LimitSettings()), result, None, asdict(metrics), {})
        publish(Output.look(self.stores.open(output), job), self.stores.open(source), job, finished, importance)
        row = Row(
            status="done", run="r", bucket=source, key=key, etag=found.etag, version=None, output=output,
            finished=datetime(2026, 11, 22, 12, tzinfo=UTC), semjpeg="0.1.0", recipe_name=recipe.name,
            recipe=recipe.model_dump_json(), bytes_in=len(data), result=job.result_keys.jpeg, recipe_hash=recipe.hash,
            model_hash="0" * 64, job=identity, format="PNG", width_px=picture.pixels.shape[1],
            height_px=picture.pixels.shape[0], bytes_out=len(result.data), bytes_libjpeg=2 * len(result.data),
            kept_coefficients=False, psnr=metrics.psnr, psnr_s=metrics.psnr_s, psnr_hvs_m=metrics.psnr_hvs_m,
            fetch_s=0.01, decode_s=0.02, map_s=0.1, encode_s=0.3, total_s=0.45,
        )  # fmt: skip
        self.rows.append(row)
        return row

    def summary(self, **changes) -> Summary:
        rows = self.rows
        finished = datetime(2026, 11, 22, 12, tzinfo=UTC)
        fields = {
            "title": "autumn", "done": len(rows), "failed": 2, "kept": 0,
            "bytes_in": sum(row.bytes_in for row in rows), "bytes_out": sum(row.bytes_out for row in rows),
            "bytes_libjpeg": sum(row.bytes_libjpeg for row in rows),
            "bytes_out_of_those": sum(row.bytes_out for row in rows),
            "pixels": sum(row.width_px * row.height_px for row in rows),
            "first": finished, "last": finished + timedelta(seconds=8),
            "savings": Histogram(-1, 1, (0,) * 60 + (1, 4, 9, 4, 1) + (0,) * 35, 0.21, 0.29, 0.25),
            "quality": {
                "psnr_hvs_m": Histogram(0, 100, (0,) * 40 + (2, 7, 2) + (0,) * 57, 40.2, 42.7, 41.5),
                "ssim": Histogram(0, 1, (0,) * 90 + (1, 2, 8) + (0,) * 7, 0.9, 0.93, 0.92),
            },
            "seconds": {"fetch": 0.03, "decode": 0.06, "map": 0.3, "encode": 0.9, "total": 1.4},
            "slowest": tuple(rows), "worst": tuple(rows),
            "failures": (FailureGroup("damaged-image", 2, ((HOSTILE, "ends early"), (CLOSING, "ends early"))),),
            "makers": (Maker("default", rows[0].recipe, rows[0].recipe_hash, "0" * 64, "0.1.0", len(rows)),),
            "sample": tuple(rows), "unreadable": (("a.json", "is no JSON"),), "unreadable_count": 1,
        }  # fmt: skip
        return Summary(**{**fields, **changes})


@dataclass(frozen=True)
class Report:
    """A page on disk, and what it was made from."""

    path: Path
    summary: Summary


@pytest.fixture(scope="session")
def report(tmp_path_factory) -> Report:
    """Three pictures: two whose results are green for red and blue for green, and a small grey one without a map."""
    root = tmp_path_factory.mktemp("report")
    run = Run(root)
    run.add(HOSTILE, striped(RED, (960, 640)), shown_as=striped(GREEN, (960, 640)))
    run.add(CLOSING, striped(GREEN, (400, 700)), shown_as=striped(BLUE, (400, 700)))
    run.add("grey.png", png(Image.linear_gradient("L").resize((90, 60))), save_map=False)
    summary = run.summary()
    path = root / "report.html"
    path.write_bytes(write_page(summary, run.stores, price=0.023, currency="$", gallery=24))
    return Report(path, summary)


@dataclass
class Opened:
    """A page in the browser, and all that it asked for or complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture
def visit(browser) -> Iterator:
    """Opens a file: `visit(path, width=1280, height=900, **options of a context)`."""
    contexts = []

    def open_page(path: Path, *, width: int = 1280, height: int = 900, **options) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.on("console", lambda message: opened.complaints.append(message.text))
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.goto(path.as_uri())
        return opened

    yield open_page
    for context in contexts:
        context.close()

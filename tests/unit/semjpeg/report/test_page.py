from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from config.errors import ForbiddenError
from semjpeg.report.collecting import Collector
from semjpeg.report.page import Headline, write_page
from semjpeg.report.reading import Unreadable
from semjpeg.report.rows import Row
from semjpeg.report.summary import FailureGroup, Maker, Summary

HOSTILE = '<img src=x onerror="alert(1)">\'&.jpg'
CLOSING = "</title></style></script><script>alert(1)</script>\u2028"
ODD = "odd\udcff\u202e\x07.png"
GB = 2**30


class Page(HTMLParser):
    """What a browser makes of the page, as far as these tests ask."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self.by_id: dict[str, str] = {}
        self.text = ""
        self._open: list[str] = []
        self._id: str | None = None
        self.feed(data.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)
        if name := dict(attrs).get("id"):
            self._id = name

    def handle_endtag(self, tag):
        self._open.pop()
        self._id = None
        if tag in {"th", "td", "dt", "dd"}:
            self.text += " "

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self._open and self._open[-1] in {"style", "script"}:
            return
        self.text += data
        if self._open and self._open[-1] == "h2":
            self.headings.append(data)
        if self._id:
            self.by_id[self._id] = data


@pytest.fixture
def rows(finished_record):
    def make(*keys: str, **other):
        return [Row.of(finished_record(key, **other)) for key in keys]

    return make


@pytest.fixture
def summary(rows, failed_record) -> Summary:
    collector = Collector(10)
    for row in rows(HOSTILE, CLOSING, "plain.png", bytes_in=4 * GB, bytes_out=GB, bytes_libjpeg=2 * GB):
        collector.add(row)
    for key in (HOSTILE, CLOSING):
        collector.add(Row.of(failed_record(key, reason=f"is {HOSTILE}")))
    collector.add(Row.of(failed_record("a.gif", code=HOSTILE)))
    collector.add_unreadable(Unreadable(CLOSING, HOSTILE, 3))
    return replace(collector.summary(HOSTILE), unreadable=((CLOSING, HOSTILE), (ODD, ODD)))


def page_of(summary: Summary, **other) -> bytes:
    return write_page(summary, None, **{"price": 0.023, "currency": "$", "gallery": 0, **other})


def empty(**other) -> Summary:
    return replace(Collector(0).summary("nothing"), **other)


def test_the_headline(summary):
    page = Page(page_of(summary))
    assert page.by_id["saved-share"] == "75.0%"
    assert page.by_id["bytes-in"] == "12.9 GB"
    assert page.by_id["bytes-out"] == "3.22 GB"
    assert page.by_id["bytes-saved"] == "9.66 GB"
    assert page.by_id["month"] == "$0.21"
    assert page.by_id["year"] == "$2.48"
    assert "$69,000.00 for a million images" in page.text
    assert "at $0.023 for a GB" in page.text
    assert page.by_id["libjpeg"] == "50.0%"
    assert (page.by_id["done"], page.by_id["failed"]) == ("3", "3")
    assert "if the results replace their sources" in page.text


def test_images_per_second_are_counted_from_the_first_that_ended(summary):
    longer = replace(summary, last=summary.first + timedelta(seconds=10))
    assert Headline.of(longer, 1).images_per_s == 0.5
    assert Headline.of(summary, 1).images_per_s is None  # all ended at once


def test_libjpeg_is_compared_over_the_images_that_say_so(summary):
    part = replace(summary, bytes_libjpeg=100, bytes_out_of_those=60)
    assert Headline.of(part, 1).share_of_libjpeg == pytest.approx(0.4)
    assert Headline.of(replace(summary, bytes_libjpeg=0, bytes_out_of_those=0), 1).share_of_libjpeg is None


def test_names_are_text_wherever_they_stand(summary):
    data = page_of(summary, currency="</style>")
    page = Page(data)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [attributes for tag, attributes in page.tags if tag == "img"]
    assert page.text.count(HOSTILE) >= 6
    assert "<script>alert(1)</script>⟨U+2028⟩" in page.text
    assert "odd\N{REPLACEMENT CHARACTER}⟨U+202E⟩⟨U+0007⟩.png" in page.text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u2028\u2029\x00-\x09\x0b-\x1f]", data.decode())


def test_every_name_is_isolated_from_the_text_around_it(summary):
    page = Page(page_of(summary))
    keys = [attributes for tag, attributes in page.tags if tag == "bdi" and attributes.get("class") == "key"]
    assert len(keys) >= 1 + 3 + 3 + 2 + 3


def test_only_our_own_style_and_script_may_run(summary):
    data = page_of(summary).decode()
    policy = next(
        a["content"] for tag, a in Page(data.encode()).tags if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data:; ")
    for tag in ("style", "script"):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", data, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert data.index("Content-Security-Policy") < data.index("<style>")


def test_nothing_leads_out_of_the_page(summary):
    for tag, attributes in Page(page_of(summary)).tags:
        assert not {name for name in attributes if name == "style" or name.startswith("on")}, tag
        for name in ("src", "href", "action", "srcset", "poster", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    assert "@import" not in page_of(summary).decode()
    assert "url(" not in page_of(summary).decode()


def test_an_empty_run():
    page = Page(page_of(empty()))
    assert "There are no images here yet" in page.text
    assert page.headings == ["What it was worth"]
    assert page.by_id["done"] == "0"
    assert "month" not in page.by_id


def test_a_run_of_failures_only():
    page = Page(page_of(empty(failed=2, failures=(FailureGroup("too-large", 2, (("a.tif", "has 3 GB"),)),))))
    assert "No image was finished" in page.text
    assert page.headings == ["What it was worth", "What failed, and why"]
    assert "A limit on bytes or pixels was exceeded." in page.text
    assert "has 3 GB" in page.text


def test_one_image_without_any_measure(rows):
    collector = Collector(1)
    collector.add(rows("a.png", metrics=None, seconds=None, bytes_libjpeg=None, recipe_hash=None, model_hash=None)[0])
    page = Page(page_of(collector.summary("one")))
    assert page.headings == ["What it was worth", "How images differ", "Made by"]
    assert "measure" not in page.by_id
    assert page.by_id["saved-share"] == "75.0%"


def test_no_bytes_at_all(summary):
    page = Page(page_of(replace(summary, bytes_in=0, bytes_out=0, bytes_libjpeg=0, bytes_out_of_those=0, savings=None)))
    assert "saved-share" not in page.by_id
    assert page.by_id["month"] == "$0.00"


def test_a_run_that_grew(summary):
    page = Page(page_of(replace(summary, bytes_out=15 * GB)))
    assert page.by_id["saved-share"] == "25.0%"
    assert "more bytes" in page.text
    assert page.by_id["bytes-saved"] == "−3.22 GB"
    assert page.by_id["month"] == "−$0.07"


def test_measures_are_offered_where_there_are_any(rows):
    collector = Collector(0)
    metrics = {"psnr": 30.0, "psnr_hvs_m": 40.0, "ssimulacra2": 70.0}
    collector.add(rows("a.png", metrics=metrics)[0])
    page = Page(page_of(collector.summary("one")))
    offered = [attributes["value"] for tag, attributes in page.tags if tag == "option"]
    assert offered == ["psnr_hvs_m", "psnr", "ssimulacra2"]
    charts = [attributes for tag, attributes in page.tags if attributes.get("class") == "chart"]
    assert [chart["role"] for chart in charts] == ["img"] * 4
    assert all(chart["aria-label"].startswith("Histogram of ") for chart in charts)
    assert [tag for tag, _ in page.tags].count("details") == 4


def test_slowest_and_worst_in_the_summarys_order(rows):
    slow, slower = (row for key in ("slow", "slower") for row in rows(key, seconds={"encode": 1, "total": len(key)}))
    page = Page(page_of(empty(done=2, slowest=(slower, slow), worst=(slow, slower))))
    assert re.findall(r"slow(?:er)?(?= 40×30)", page.text) == ["slower", "slow", "slow", "slower"]


def test_what_made_it():
    makers = tuple(
        Maker(f"recipe {i}", '{"quality": 75, "strength": 0.5}', "ab12", "cd34", "0.1.0", 7) for i in range(25)
    )
    page = Page(page_of(empty(done=1, makers=makers)))
    assert '{\n  "quality": 75,\n  "strength": 0.5\n}' in page.text
    assert {"ab12", "cd34", "0.1.0"} <= set(page.text.split())
    assert "recipe 19" in page.text
    assert "recipe 20" not in page.text
    assert "And 5 more." in page.text


def test_time_by_stage():
    page = Page(page_of(empty(done=4, seconds={"encode": 3.0, "map": 1.0, "total": 9.0})))
    words = " ".join(page.text.split())
    assert "encode 3.00 s 750 ms" in words
    assert "importance map 1.00 s 250 ms" in words
    shares = [a["width"] for tag, a in page.tags if tag == "rect" and a.get("class") == "part-bar"]
    assert shares[-2:] == ["25.000%", "75.000%"]


def test_pictures_that_cannot_be_had_are_named(rows):
    class Nowhere:
        def open(self, bucket):
            raise ForbiddenError(f"the bucket {bucket!r} is <closed>")

    sample = tuple(rows(*(f"{i}.png" for i in range(30))))
    page = Page(write_page(empty(done=30, sample=sample), Nowhere(), price=1, currency="$", gallery=25))
    assert "25 of the sample could not be shown" in page.text
    assert page.text.count("the bucket 'small' is <closed>") == 20
    assert "And 5 more." in page.text


def test_enormous_texts_do_not_make_an_enormous_page(rows):
    long = "ä" * 200_000
    (row,) = rows(long)
    group = FailureGroup(long, 5, ((long, long),) * 5)
    maker = Maker(long, f'{{"{long}": "{long}"}}', long, long, long, 1)
    page = page_of(empty(title=long, slowest=(row,) * 10, worst=(row,) * 10, failures=(group,) * 20, makers=(maker,)))
    assert len(page) < 2_000_000

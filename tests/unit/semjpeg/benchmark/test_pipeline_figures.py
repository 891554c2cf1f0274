"""The figures of `semjpeg benchmark pipeline`."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console

from semjpeg.benchmark.pipeline.cpu import StageSeconds
from semjpeg.benchmark.pipeline.figures import Figures, document, parts, stages, summary


def test_ratios_are_of_what_was_measured():
    found = Figures(
        cores=2,
        bare=4.0,
        system=3.0,
        one=2.0,
        two=3.0,
        small=30.0,
        original=1.5,
        mean_batch=3.0,
        batch_size=4,
        cpu_over_pillow=2.5,
        latency_s=[0.1 * number for number in range(1, 101)],
    )
    values = json.loads(json.dumps(document(found)))
    assert values["system_over_bare"] == 0.75
    assert values["two_over_one"] == 1.5
    assert values["system_over_original"] == 20
    assert values["mean_batch_over_max"] == 0.75
    assert values["cpu_over_pillow"] == 2.5
    assert values["latency_median_s"] == 5.05
    assert values["latency_p99_s"] == 9.901
    assert values["bare_two_over_one"] is values["system_over_bare_small"] is None


def test_what_was_not_measured_is_left_out_of_the_table():
    text = StringIO()
    console = Console(file=text, width=160)
    console.print(summary(Figures(cores=2, bare=4.0, system=3.0)))
    assert "system_over_bare" in text.getvalue()
    assert "two_over_one" not in text.getvalue()
    console.print(stages(Figures(cpu={"decode": 4.25, "network": 1.0})))
    assert "decode *" in text.getvalue()
    assert "4.2" in text.getvalue()
    assert "network *" not in text.getvalue()
    console.print(parts(Figures(system_cpu={"bare": 71.04, "store": 7.0}, small_cpu={"workers": 90.25})))
    for row in (("bare", "71.0", ""), ("store", "7.0", ""), ("workers", "", "90.2")):
        assert any(
            line.replace("│", " ").split() == [cell for cell in row if cell] for line in text.getvalue().splitlines()
        )


def test_only_what_makes_a_jpeg_is_held_against_pillow():
    seconds = StageSeconds()
    seconds.megapixels = 4
    seconds.seconds |= {"probe": 1, "decode": 2, "encode": 3, "verify": 4, "metrics": 5, "network": 90, "Pillow": 5}
    assert seconds.over_pillow == 3
    assert seconds.per_megapixel()["decode"] == pytest.approx(500)

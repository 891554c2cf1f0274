from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semjpeg.report.collecting import Collector
from semjpeg.report.histogram import SAVING, SCALES, Distribution, Total
from semjpeg.report.keeping import Lowest, Tally
from semjpeg.report.reading import Unreadable
from semjpeg.report.rows import Row
from semjpeg.report.summary import Summary

_LAST = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def summarise(items, sample: int = 3) -> Summary:
    collector = Collector(sample)
    for item in items:
        if isinstance(item, Unreadable):
            collector.add_unreadable(item)
        else:
            collector.add(item)
    return collector.summary("spring")


@pytest.fixture(scope="module")
def rows(finished_record, failed_record):
    """Twelve finished images, the later the slower and the worse, and three failed ones."""

    def finished(i: int) -> Row:
        return Row.of(
            finished_record(
                f"{i:02}.png",
                finished=(_LAST - timedelta(minutes=i)).isoformat(),
                bytes_in=1000 + i,
                bytes_out=500,
                bytes_libjpeg=None if i % 2 else 600 + i,
                kept_coefficients=i < 3,
                metrics={"psnr_hvs_m": 50.0 - i, "ssimulacra2": 90.0 if i == 5 else None},
                seconds={"fetch": 0.1, "total": 1.0 + i},
                recipe={"name": "archive" if i < 8 else "mail", "quality": 75},
            )
        )

    failed = [
        Row.of(failed_record("x", code="too-large", reason="has 9 megapixels")),
        Row.of(failed_record("y", code="damaged-image", reason="ends early")),
        Row.of(failed_record("a", code="damaged-image", reason="has no end", finished="2026-11-25T00:00:00+00:00")),
    ]
    return [*map(finished, range(12)), *failed]


def test_numbers_are_added_up(rows):
    summary = summarise(rows)
    assert (summary.title, summary.done, summary.failed, summary.kept) == ("spring", 12, 3, 3)
    assert (summary.bytes_in, summary.bytes_out) == (12 * 1000 + 66, 6000)
    assert (summary.bytes_libjpeg, summary.bytes_out_of_those) == (6 * 600 + 30, 3000)
    assert summary.pixels == 12 * 40 * 30
    assert (summary.first, summary.last) == (_LAST - timedelta(minutes=11), datetime(2026, 11, 25, tzinfo=UTC))
    assert summary.seconds == pytest.approx({"fetch": 1.2, "total": 12.0 + 66.0})
    assert list(summary.quality) == ["psnr_hvs_m", "ssimulacra2"]
    assert summary.quality["ssimulacra2"].total == 1
    savings = summary.savings
    assert (savings.low, savings.high, savings.total) == (-1, 1, 12)
    assert (savings.least, savings.most) == (0.5, 1 - 500 / 1011)
    assert savings.mean == pytest.approx(math.fsum(1 - 500 / (1000 + i) for i in range(12)) / 12)


def test_slowest_and_worst_are_named_in_order(rows):
    summary = summarise(rows)
    assert [row.key for row in summary.slowest] == [f"{i:02}.png" for i in range(11, 1, -1)]
    assert [row.key for row in summary.worst] == [f"{i:02}.png" for i in range(11, 1, -1)]


def test_failures_stand_by_reason_the_most_frequent_first(rows):
    groups = summarise(rows).failures
    assert [(group.code, group.count) for group in groups] == [("damaged-image", 2), ("too-large", 1)]
    assert groups[0].examples == (("a", "has no end"), ("y", "ends early"))


def test_makers_are_counted(rows):
    makers = summarise(rows).makers
    assert [(maker.recipe_name, maker.count) for maker in makers] == [("archive", 8), ("mail", 4)]
    assert makers[0].recipe == '{"quality": 75}'


def test_the_sample_is_of_the_size_that_was_asked_for(rows):
    assert [len(summarise(rows, sample=n).sample) for n in (0, 5, 50)] == [0, 5, 12]
    assert set(summarise(rows, sample=3).sample) < set(summarise(rows, sample=5).sample)


def test_the_sample_does_not_favour_names_or_times(rows):
    keys = {row.key for row in summarise(rows, sample=4).sample}
    assert keys != {f"{i:02}.png" for i in range(4)}
    assert keys != {f"{i:02}.png" for i in range(8, 12)}


def test_nothing_is_a_summary_too():
    summary = summarise([])
    assert (summary.done, summary.first, summary.savings, summary.quality, summary.makers) == (0, None, None, {}, ())


def test_unreadable_records_are_counted_and_a_few_named():
    summary = summarise([Unreadable(f"{i:02}.json", "is no JSON") for i in range(25)] + [Unreadable("z", "more", 5)])
    assert summary.unreadable_count == 30
    assert [key for key, _ in summary.unreadable] == [f"{i:02}.json" for i in range(10)]


@given(chance=st.randoms(use_true_random=False), ties=st.booleans())
def test_the_order_of_records_does_not_matter(finished_record, failed_record, chance, ties):
    def measure(low: float, high: float) -> float:
        return high if ties else chance.uniform(low, high)

    rows = [
        Row.of(
            finished_record(
                f"{i}.png",
                bytes_out=chance.randrange(1, 2000),
                metrics={"psnr": measure(10, 70), "psnr_hvs_m": measure(10, 70), "ssim": measure(0.5, 1)},
                seconds={"encode": measure(0, 9), "total": measure(0, 9)},
                recipe={"name": chance.choice("abc")},
            )
        )
        for i in range(30)
    ]
    rows += [Row.of(failed_record(f"{i}.gif", code=chance.choice(["x", "y"]))) for i in range(20)]
    rows += [Unreadable(f"{i}.json", "is no JSON") for i in range(20)]
    expected = summarise(rows)
    chance.shuffle(rows)
    assert summarise(rows) == expected


@given(st.lists(st.text(max_size=2)), st.integers(1, 5), st.randoms())
def test_counts_of_many_kinds_are_exact_and_the_rest_stands_together(kinds, most, chance):
    def tally(order) -> Tally[str]:
        result = Tally[str](most)
        for kind in order:
            result.add(kind)
        return result

    counted = tally(kinds)
    for kind, count in counted.largest(most):
        assert count == kinds.count(kind)
    assert sum(count for _, count in counted.largest(most)) + counted.others(most) == len(kinds)
    assert len(counted.largest(most)) == min(most, len(set(kinds)))
    shuffled = kinds.copy()
    chance.shuffle(shuffled)
    assert tally(shuffled).largest(most) == counted.largest(most)


def test_more_makers_and_reasons_than_are_shown(finished_record, failed_record):
    rows = [Row.of(finished_record(f"{i}", semjpeg=f"{i:04}")) for i in range(60)]
    rows += [Row.of(failed_record(f"{i}", code=f"c{i:04}")) for i in range(1100)]
    summary = summarise(rows)
    assert (len(summary.makers), summary.makers[-1].recipe_name, summary.makers[-1].count) == (51, "others", 10)
    assert (len(summary.failures), summary.failures[-1].code, summary.failures[-1].count) == (51, "others", 1050)
    assert summary.failures[0].code == "c0000"
    assert all(group.examples for group in summary.failures[:-1])


@given(st.lists(st.integers(-5, 5)), st.integers(0, 4))
def test_the_lowest_are_kept(numbers, most):
    lowest = Lowest[int](most)
    for i, number in enumerate(numbers):
        if lowest.admits(number):
            lowest.add((number, i), number)
    assert list(lowest.items) == sorted(numbers)[:most]


@given(st.lists(st.floats(-(2.0**60), 2.0**60, width=32)), st.randoms())
def test_sums_are_exact_whatever_the_order(values, chance):
    totals = [Total(), Total()]
    for total in totals:
        for value in values:
            total.add(value)
        chance.shuffle(values)
    assert totals[0].value == totals[1].value
    exact = float(sum(map(Fraction, values)))
    assert totals[0].value == pytest.approx(exact, abs=1e-11 * (len(values) + 1), rel=1e-15)


@given(st.sampled_from([SAVING, *SCALES.values()]), st.lists(st.floats(-200, 200), min_size=1))
def test_every_value_falls_into_its_step(scale, values):
    distribution = Distribution(scale)
    for value in values:
        distribution.add(value)
    histogram = distribution.histogram()
    assert histogram.total == len(values)
    assert (histogram.least, histogram.most) == (min(values), max(values))
    width = Fraction(scale.high) - Fraction(scale.low)
    steps = [math.floor((Fraction(value) - Fraction(scale.low)) / width * scale.steps) for value in values]
    for step, count in enumerate(histogram.counts):
        inside = [s for s in steps if max(0, min(s, scale.steps - 1)) == step]
        assert abs(len(inside) - count) <= sum(_at_an_edge(value, scale) for value in values)


def _at_an_edge(value: float, scale) -> bool:
    position = (value - scale.low) / (scale.high - scale.low) * scale.steps
    return abs(position - round(position)) < 1e-9


def test_a_saving_of_a_half_lies_where_the_page_draws_it():
    distribution = Distribution(SAVING)
    for value in (-3.0, -1.0, 0.0, 0.51, 0.999, 1.0):
        distribution.add(value)
    counts = distribution.histogram().counts
    assert {step: count for step, count in enumerate(counts) if count} == {0: 2, 50: 1, 75: 1, 99: 2}

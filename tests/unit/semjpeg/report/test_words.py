from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import errors
from semjpeg.report import words


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.00 kB"), (15_000, "15.0 kB"),
        (10**9, "1.00 GB"), (85.8e9, "85.8 GB"), (-2000, "−2.00 kB"), (3 * 10**18, "3,000.0 PB"),
    ],
)  # fmt: skip
def test_sizes_are_in_steps_of_1000(count, text):
    assert words.size(count) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1234.5, "$", "$1,234.50"), (1234.5, "EUR", "1,234.50 EUR"), (0, "$", "$0.00"), (0.002, "€", "under €0.01"),
        (-0.002, "$", "above −$0.01"), (-3, "USD", "−3.00 USD"),
    ],
)  # fmt: skip
def test_money(amount, currency, text):
    assert words.money(amount, currency) == text


def test_a_price_keeps_all_its_digits():
    assert words.unit_price(0.023, "$") == "$0.023"
    assert words.unit_price(2, "EUR") == "2 EUR"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"), (0.456, "0.46 s"), (42.4, "42 s"), (125, "2 min 5 s"), (7384, "2 h 3 min"),
        (90_061, "1 d 1 h"),
    ],
)  # fmt: skip
def test_durations_have_two_units(seconds, text):
    assert words.duration(seconds) == text


def test_periods_are_in_utc_and_name_a_day_once():
    first = datetime(2026, 11, 22, 13, 4, tzinfo=timezone(timedelta(hours=1)))
    assert words.period(first, first + timedelta(minutes=50)) == "22 November 2026, 12:04 – 12:54 UTC"
    assert words.period(first, first + timedelta(days=1)) == "22 November 2026, 12:04 – 23 November 2026, 12:04 UTC"
    assert words.period(first, first.astimezone(UTC)) == "22 November 2026, 12:04 UTC"


def test_numbers_have_a_true_minus_and_no_negative_nought():
    assert words.SAVING.text(-0.0512) == "−5.1%"
    assert words.SAVING.text(-0.0001) == "0.0%"
    assert words.MEASURES["psnr"].text(None) == "–"
    assert words.MEASURES["psnr"].text(41.26) == "41.3 dB"


@given(st.text(st.characters(), max_size=60))
def test_what_is_visible_has_no_hidden_effects_and_can_be_written(text):
    shown = words.visible(text)
    shown.encode()
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert [c for c in shown if unicodedata.category(c) in hidden and c not in "\u200c\u200d"] == []


def test_plain_text_stays_as_it_is():
    for text in ("2019/Größe 1 – ß.JPG", "家族/👩‍🚀.png", "عكس.jpg"):
        assert words.visible(text) == text
    assert words.visible("a\u202egpj.exe") == "a⟨U+202E⟩gpj.exe"
    assert words.visible("a\udcff\n.png") == "a\N{REPLACEMENT CHARACTER}⟨U+000A⟩.png"


def test_names_are_isolated_and_escaped():
    assert words.name("<b>&") == '<bdi class="key">&lt;b&gt;&amp;</bdi>'
    assert words.reason("<b>") == "<bdi>&lt;b&gt;</bdi>"


def test_endless_texts_are_cut():
    assert len(words.visible("x" * 10**6)) < 3000
    assert len(words.visible("x" * 1024)) == 1024
    assert len(words.reason("x" * 10**6)) < 500


def leaves(error: type[errors.SemjpegError]) -> list[type[errors.SemjpegError]]:
    below = error.__subclasses__()
    return [leaf for each in below for leaf in leaves(each)] if below else [error]


@pytest.mark.parametrize("code", sorted({leaf.code for leaf in leaves(errors.SemjpegError)}))
def test_every_code_has_a_meaning(code):
    assert words.failure_meaning(code) != words.failure_meaning("no such code")

"""Each check for itself: one that breaks or hangs spoils no other; and how it is all shown."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from semjpeg.doctor.configuration import look_at_settings
from semjpeg.doctor.context import Context
from semjpeg.doctor.finding import BrokenOffError, Finding, Status
from semjpeg.doctor.runner import Check, examine
from semjpeg.doctor.secrets import Secrets
from semjpeg.doctor.show import document, lines, summary, table, worst

SOUND = Finding.ok("colour", "red")


@pytest.fixture
def context(monkeypatch, tmp_path) -> Context:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEMJPEG_BROKER__URL", "redis://someone:some-p%40ss@127.0.0.1/0")
    return Context.make("producer")


def sound(_: Context) -> Iterator[Finding]:
    yield SOUND


def breaks(_: Context) -> Iterator[Finding]:
    yield SOUND
    raise RuntimeError("with some-p@ss in it")


def breaks_off(_: Context) -> Iterator[Finding]:
    yield SOUND
    raise BrokenOffError(Finding.failed("shape", "round", "Square it."))


def test_a_check_that_breaks_spoils_no_other_and_shows_no_secret(context):
    found = list(examine([Check("one", breaks), Check("two", sound)], context))
    assert [(each.check, each.status) for each in found] == [
        ("one", Status.OK),
        ("one", Status.FAILED),
        ("two", Status.OK),
    ]
    assert "RuntimeError: with *** in it" in found[1].message


def test_what_needs_a_check_that_broke_off_is_not_looked_at(context):
    checks = [
        Check("one", breaks_off),
        Check("two", sound, needs="one"),
        Check("three", sound, needs="two"),
        Check("four", sound),
    ]
    found = list(examine(checks, context))
    assert [(each.check, each.status) for each in found] == [
        ("one", Status.OK),
        ("one", Status.FAILED),
        ("two", Status.WARNING),
        ("three", Status.WARNING),
        ("four", Status.OK),
    ]
    assert "'one'" in found[2].mend


def test_a_failed_finding_alone_stops_nothing(context):
    def finds(_: Context) -> Iterator[Finding]:
        yield Finding.failed("shape", "round", "Square it.")

    found = list(examine([Check("one", finds), Check("two", sound, needs="one")], context))
    assert [each.status for each in found] == [Status.FAILED, Status.OK]


@pytest.mark.parametrize("writes", [False, True])
def test_a_check_that_hangs_is_given_up_and_one_that_writes_comes_to_its_end(context, writes):
    go_on, ended = threading.Event(), threading.Event()

    def hangs(_: Context) -> Iterator[Finding]:
        yield SOUND
        go_on.wait(60)
        ended.set()

    def releases(_: Context) -> Iterator[Finding]:
        assert not ended.is_set()
        if writes:
            go_on.set()
        yield SOUND

    found = list(examine([Check("one", hangs, limit_s=0.2, writes=writes), Check("two", releases)], context))
    assert [(each.check, each.status) for each in found] == [
        ("one", Status.OK),
        ("one", Status.FAILED),
        ("two", Status.OK),
    ]
    assert "no end within 0.2 s" in found[1].message
    assert ended.is_set() == writes
    go_on.set()
    ended.wait(60)


FINDINGS = [
    Finding("shape", Status.OK, "round", check="one"),
    Finding("colour", Status.WARNING, "red [bold]", "Paint it.", check="one"),
    Finding("size", Status.FAILED, "small", "Feed it.", check="two"),
]


def test_the_document():
    assert json.loads(json.dumps(document(FINDINGS))) == {
        "status": "failed",
        "counts": {"ok": 1, "warning": 1, "failed": 1},
        "findings": [
            {"check": "one", "name": "shape", "status": "ok", "message": "round", "mend": None},
            {"check": "one", "name": "colour", "status": "warning", "message": "red [bold]", "mend": "Paint it."},
            {"check": "two", "name": "size", "status": "failed", "message": "small", "mend": "Feed it."},
        ],
    }


def test_lines_and_table_tell_what_to_do():
    assert lines(FINDINGS[0]) == "ok      one: shape: round"
    assert lines(FINDINGS[1]) == "warning one: colour: red [bold]\n        → Paint it."
    assert summary(FINDINGS) == "1 ok, 1 warning, 1 failed"
    screen = io.StringIO()
    Console(file=screen, width=60).print(table(FINDINGS))
    drawn = screen.getvalue()
    for text in ("failed", "two", "red [bold]", "→ Paint it.", "→ Feed it."):
        assert text in drawn


@given(st.lists(st.sampled_from(Status)))
def test_the_worst_counts(statuses):
    found = worst([Finding("a", status, "") for status in statuses])
    assert found is max(statuses, key=["ok", "warning", "failed"].index, default=Status.OK)


@given(
    secret=st.text(st.characters(min_codepoint=43, max_codepoint=126), min_size=8),
    around=st.tuples(st.text(), st.text()),
)
def test_no_known_secret_passes(secret, around):
    secrets = Secrets(None)
    secrets.add(secret)
    assert secret not in secrets.hidden(secret.join(around))


def test_settings_that_cannot_be_read_hide_no_secret(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("semjpeg.toml").write_text("[broker\n")
    monkeypatch.setenv("SEMJPEG_BROKER__URL", "redis://:pass%40word@broker/0")
    context = Context.make()
    assert context.loaded is None
    assert "settings:" in context.refusal
    assert context.secrets.hidden("pass%40word or pass@word") == "*** or ***"


def test_routes_that_make_a_circle_or_name_no_recipe(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    first = {"source": "s3://a-bucket", "output": "s3://b-bucket"}
    second = {"source": "s3://b-bucket", "output": "s3://c-bucket"}

    def look(*routes: dict[str, str]) -> Finding:
        monkeypatch.setenv("SEMJPEG_ROUTES", json.dumps(routes))
        [found] = [f for f in examine([Check("settings", look_at_settings)], Context.make()) if f.name == "routes"]
        return found

    assert look(first).status is Status.OK
    circle = look(first, second)
    assert (circle.status, "compressed again" in circle.message) == (Status.FAILED, True)
    nameless = look({**first, "recipe": "no-such"})
    assert (nameless.status, "no-such" in nameless.message) == (Status.FAILED, True)


def test_no_text_leads_the_terminal_astray(context):
    def finds(_: Context) -> Iterator[Finding]:
        yield Finding.ok("a", "red\x1b[31m\nand more")

    [found] = examine([Check("one", finds)], context)
    assert found.message == "red\N{REPLACEMENT CHARACTER}[31m and more"

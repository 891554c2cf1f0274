"""A log shows what happened, and no secret that a program had in hand when it did."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from config.logs import configure_logging
from config.settings import BrokerSettings, Settings

SECRET = "hunter2"  # noqa: S105 - of these tests alone


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def fail() -> None:
    """Go wrong with a secret in a local variable, and with settings that hold one."""
    url = f"redis://:{SECRET}@broker/0"
    settings = Settings(broker=BrokerSettings(url=url))
    try:
        raise RuntimeError(f"a defect of {settings.broker!r}")
    except RuntimeError:
        structlog.get_logger("test").exception("defect", settings=settings)
        logging.getLogger("library").exception("defect of %s", settings)


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()], ids=["terminal", "file"])
def test_a_traceback_shows_no_variables(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging(logging.DEBUG)
    fail()
    told = stream.getvalue()
    assert told.count("Traceback") == 2
    assert "RuntimeError" in told
    assert SECRET not in told


def test_elsewhere_than_on_a_terminal_each_event_is_a_line_of_json(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    configure_logging()
    fail()
    lines = [json.loads(line) for line in sys.stderr.getvalue().splitlines()]
    assert [(line["logger"], line["level"]) for line in lines] == [("test", "error"), ("library", "error")]

"""The packages that the benchmark needs."""

from __future__ import annotations

import pytest

from semjpeg import benchmark


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(benchmark, "PACKAGES", ("scipy", "no_such_package"))
    with pytest.raises(ModuleNotFoundError) as error:
        benchmark.require_packages()
    assert error.value.name == "no_such_package"


def test_the_command_line_knows_the_extra_of_every_package():
    from semjpeg.cli import _EXTRAS

    assert {_EXTRAS[name] for name in benchmark.PACKAGES} == {"benchmark"}

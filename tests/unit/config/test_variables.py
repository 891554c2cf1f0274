"""Every variable `SEMJPEG_…` that a file of the project sets or names is a setting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.settings import Settings

ROOT = Path(__file__).parents[3]
FILES = [
    ROOT / "docker-compose.yml",
    ROOT / "Makefile",
    ROOT / "README.md",
    *(path for folder in ("deploy", "docs") for path in sorted((ROOT / folder).rglob("*")) if path.is_file()),
]
TEXTS = {str(path.relative_to(ROOT)): path.read_text() for path in FILES if path.suffix not in {".png", ".jpg"}}
VARIABLE = re.compile(r"\bSEMJPEG_\w+")


def is_a_setting(variable: str) -> bool:
    section, nested, field = variable.removeprefix("SEMJPEG_").lower().partition("__")
    if not nested:
        return section == "config" or section in Settings.model_fields
    known = getattr(Settings.model_fields.get(section), "annotation", None)
    return field in getattr(known, "model_fields", {})


@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if VARIABLE.search(text)])
def test_every_variable_is_a_setting(name):
    assert [found for found in VARIABLE.findall(TEXTS[name]) if not is_a_setting(found)] == []


def test_what_starts_semjpeg_is_looked_at():
    named = {name for name, text in TEXTS.items() if VARIABLE.search(text)}
    manifests = {f"deploy/kubernetes/{name}" for name in ("base/worker.yaml", "secrets.example.yaml")}
    assert {"docker-compose.yml", "deploy/Dockerfile", "README.md", *manifests} <= named


@pytest.mark.parametrize("variable", ["SEMJPEG_BROKER__URI", "SEMJPEG_BROKR__URL", "SEMJPEG_BROKER_URL"])
def test_a_misspelt_one_is_none(variable):
    assert not is_a_setting(variable)

"""`docs/operating.md` names what there is."""

from __future__ import annotations

from pathlib import Path

from config.errors import SemjpegError
from config.settings import Settings

TEXT = (Path(__file__).parents[3] / "docs/operating.md").read_text()


def test_every_setting_is_documented():
    for section, field in Settings.model_fields.items():
        assert f"SEMJPEG_{section.upper()}" in TEXT
        for name in getattr(field.annotation, "model_fields", ()):
            assert f"{name.upper()}`" in TEXT, f"{section}.{name}"


def test_every_reason_for_a_failure_record_is_documented():
    never_recorded = {"configuration", "invalid-message", "job-in-flight", "object-changed", "model"}

    def leaves(kind: type[SemjpegError]) -> set[str]:
        return {code for child in kind.__subclasses__() for code in (leaves(child) or {child.code})}

    for code in leaves(SemjpegError) - never_recorded:
        assert f"`{code}`" in TEXT, code

from __future__ import annotations

import pytest

from config.errors import ConfigurationError
from config.recipes import Route
from config.settings import Settings


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("SEMJPEG_CONFIG",):
        monkeypatch.delenv(name, raising=False)


def test_everything_has_a_default():
    settings = Settings.load()
    assert settings.s3.endpoint_url is None
    assert settings.recipe("default").quality == 75


def test_the_environment_wins_over_the_file(monkeypatch, tmp_path):
    (tmp_path / "semjpeg.toml").write_text(
        '[broker]\nurl = "redis://file:1/0"\nkey_prefix = "file:"\n'
        '[[routes]]\nsource = "s3://in"\noutput = "s3://out"\n'
        "[recipes.small]\nquality = 40\n"
    )
    monkeypatch.setenv("SEMJPEG_BROKER__URL", "redis://environment:2/0")
    settings = Settings.load()

    assert settings.broker.url.get_secret_value() == "redis://environment:2/0"
    assert settings.broker.key_prefix == "file:"
    assert settings.routes == (Route(source="s3://in", output="s3://out"),)
    assert (settings.recipe("small").quality, settings.recipe("small").name) == (40, "small")


def test_a_named_file_is_read_and_a_missing_one_refused(monkeypatch, tmp_path):
    named = tmp_path / "elsewhere.toml"
    named.write_text("[limits]\nmax_pixels = 5\n")
    monkeypatch.setenv("SEMJPEG_CONFIG", str(named))
    assert Settings.load().limits.max_pixels == 5
    named.unlink()
    with pytest.raises(ConfigurationError, match=r"elsewhere\.toml"):
        Settings.load()


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("SEMJPEG_BROKR__URL", "redis://x", "SEMJPEG_BROKR__URL"),
        ("SEMJPEG_BROKER__URI", "redis://x", r"broker\.uri"),
        ("SEMJPEG_LIMITS__MAX_BYTES", "-1", r"limits\.max_bytes"),
        ("SEMJPEG_WORKER__BATCH_SIZE", "many", r"worker\.batch_size"),
        ("SEMJPEG_ROUTES", '[{"source": "s3://in"}]', r"routes\.0\.output"),
        ("SEMJPEG_ROUTES", "not json", "routes"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch, variable, value, named):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=named):
        Settings.load()


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "semjpeg.toml").write_text("[broker\n")
    with pytest.raises(ConfigurationError, match="settings"):
        Settings.load()


@pytest.mark.parametrize(
    ("source", "output"),
    [("s3://bucket/in", "s3://bucket/in/small"), ("s3://bucket/in", "s3://bucket"), ("s3://bucket", "s3://bucket")],
)
def test_results_that_are_or_may_become_sources_are_refused(source, output):
    with pytest.raises(ConfigurationError, match="compressed again"):
        Route(source=source, output=output)


def test_an_output_prefix_that_is_too_long_for_the_keys_of_records_is_refused():
    with pytest.raises(ConfigurationError, match="too long"):
        Route(source="s3://in", output=f"s3://out/{'p' * 1000}")


def test_an_unknown_recipe_is_named_with_the_known_ones(monkeypatch):
    monkeypatch.setenv("SEMJPEG_RECIPES", '{"tiny": {"quality": 30}}')
    with pytest.raises(ConfigurationError, match=r"'huge'.*default, tiny"):
        Settings.load().recipe("huge")


def test_the_brokers_password_does_not_show(monkeypatch):
    monkeypatch.setenv("SEMJPEG_BROKER__URL", "redis://:hunter2@host/0")
    assert "hunter2" not in repr(Settings.load())

"""URLs of the broker: TLS that verifies nothing cannot be had, and no part of a password is ever shown."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.broker import make_celery
from config.errors import ConfigurationError
from config.settings import BrokerSettings, Settings

SECRET = "hunter2-is-secret"  # noqa: S105 - of these tests alone


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "redis://broker",
        "redis://[::1]:6379/3",
        f"redis://:{SECRET}@broker:6379/0",
        f"rediss://semjpeg-worker:{SECRET}%2F%40@broker/0",
        "rediss://broker/0?ssl_ca_certs={file}",
        "rediss://broker/0?ssl_ca_certs={file}&ssl_certfile={file}&ssl_keyfile={file}",
    ],
)
def test_what_both_libraries_understand_is_taken(tmp_path, url):
    (tmp_path / "a.pem").touch()
    url = url.format(file=tmp_path / "a.pem")
    assert BrokerSettings(url=url).url.get_secret_value() == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"http://:{SECRET}@broker/0", "redis://"),
        (f"redis+socket:///{SECRET}", "redis://"),
        (f"redis://:half/{SECRET}@broker:6379/0", "%XX"),
        (f"redis://:half#{SECRET}@broker:6379/0", "%XX"),
        (f"redis://:a@broker:{SECRET}/0", "%XX"),
        (f"redis://:a@one;redis://:{SECRET}@two", "redis://"),
        (f"redis://:{SECRET}@[broker/0", "redis://"),
        (f"redis://broker/{SECRET}", "redis://"),
        (f"{SECRET}", "redis://"),
        (f"rediss://:{SECRET}@broker/0?ssl_cert_reqs=none", "always verified"),
        (f"rediss://:{SECRET}@broker/0?ssl_cert_reqs=CERT_NONE", "always verified"),
        (f"rediss://:{SECRET}@broker/0?ssl_check_hostname=false", "always verified"),
        (f"rediss://:{SECRET}@broker/0?{SECRET}=1", "always verified"),
        (f"rediss://:{SECRET}@broker/0?ssl_ca_certs=/{SECRET}.pem", "names no file"),
        (f"rediss://:{SECRET}@broker/0?ssl_keyfile={__file__}", "needs ssl_certfile"),
        (f"redis://:{SECRET}@broker/0?ssl_ca_certs={__file__}", "need rediss"),
    ],
)
def test_what_is_refused_is_named_without_being_shown(monkeypatch, url, reason):
    for variable, name in (("BROKER__URL", "broker.url"), ("EVENTS__REDIS_URL", "events.redis_url")):
        with monkeypatch.context() as context:
            context.setenv(f"SEMJPEG_{variable}", url)
            with pytest.raises(ConfigurationError) as caught:
                Settings.load()
        assert reason in str(caught.value)
        assert name in str(caught.value)
        told: BaseException | None = caught.value
        while told:  # a traceback shows what lies behind an error as well
            assert SECRET not in str(told)
            told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_an_error_that_does_not_show_it(text):
    told = ""
    try:
        BrokerSettings(url=f"redis://:QQ{text}QQ@broker/0")
    except ValidationError as error:
        told = str(error)
    assert "QQ" not in told


@pytest.mark.parametrize("options", ["", f"?ssl_ca_certs={__file__}"])
def test_celery_verifies_certificates(options):
    settings = Settings(broker=BrokerSettings(url=f"rediss://worker:{SECRET}@broker:6380/0{options}"))
    with make_celery(settings).connection_for_write() as connection:
        # what a channel would connect with; to make a channel would be to connect
        channel = type("Bare", (connection.transport.Channel,), {"__init__": lambda *_: None})()
        channel.connection = type("Transport", (), {"client": connection, "default_port": 6379})()
        parameters = channel._connparams()
    made = parameters.pop("connection_class")(**{k: v for k, v in parameters.items() if k != "max_connections"})
    assert made.cert_reqs == ssl.CERT_REQUIRED
    assert made.check_hostname
    assert made.ca_certs == (__file__ if options else None)
    assert (made.host, made.port, made.username, made.password) == ("broker", 6380, "worker", SECRET)


def test_without_tls_celery_is_told_nothing_of_it():
    assert make_celery(Settings()).conf.broker_use_ssl is None


@pytest.mark.parametrize(
    ("variable", "named"),
    [
        ("SEMJPEG_S3__ENDPOINT_URL", "s3.endpoint_url"),
        ("SEMJPEG_SQS__ENDPOINT_URL", "sqs.endpoint_url"),
        ("SEMJPEG_SQS__QUEUE_URL", "sqs.queue_url"),
    ],
)
def test_addresses_that_are_shown_hold_no_credentials(monkeypatch, variable, named):
    monkeypatch.setenv(variable, f"https://key:{SECRET}@store/path")
    with pytest.raises(ConfigurationError, match=named) as caught:
        Settings.load()
    assert SECRET not in str(caught.value)
    monkeypatch.setenv(variable, "https://store/path@2")
    Settings.load()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SEMJPEG_EVENTS__TOKEN", "short-hunter2"),
        ("SEMJPEG_BROKER", f'{{"url": "redis://:{SECRET}@broker/0"'),
        ("SEMJPEG_BROKER", f'{{"url": ["{SECRET}"]}}'),
        ("SEMJPEG_BROKER__PASSWORD", SECRET),
    ],
)
def test_no_error_about_a_secret_shows_it(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__!r}"

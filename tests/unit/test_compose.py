"""`docker-compose.yml` against the Compose schema and against the code: each command, variable and port exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest
import yaml

from config.settings import Settings
from producer.webhook import HEALTH_PATH
from semjpeg.cli import cli
from semjpeg.commands import events

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {name: s for name, s in COMPOSE["services"].items() if s.get("image", "").startswith("semjpeg-")}
COMMANDS = {name: s["command"] for name, s in OURS.items() if "entrypoint" not in s}
PORTS = {
    "broker": "6379",
    "s3": COMPOSE["services"]["s3"]["command"][1].removeprefix(":"),
    "events": str(events.serve.params[[p.name for p in events.serve.params].index("port")].default),
}
EVERYTHING = [*COMPOSE["services"]]
MONITORING = [name for name, s in COMPOSE["services"].items() if s.get("profiles") == ["monitoring"]]


def defaults(text: str) -> str:
    """What Compose makes of a text where the environment says nothing."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", r"\2", text)


def test_it_fits_the_compose_schema():
    schema = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*schema, "docker-compose.yml"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_cpu_and_a_gpu_worker_have_profiles_of_their_own():
    assert {name: s["profiles"] for name, s in OURS.items() if "profiles" in s} == {
        "worker-cpu": ["cpu"],
        "worker-gpu": ["gpu"],
        "status": ["tools"],
    }
    [device] = OURS["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]


@pytest.mark.parametrize("service", COMMANDS)
def test_every_command_and_option_exists(service):
    command, *arguments = COMMANDS[service]
    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    found.make_context(command, list(arguments))  # parses, and does not run


@pytest.mark.parametrize("service", OURS)
def test_every_variable_is_a_setting(monkeypatch, tmp_path, service):
    variables = {name: value for name, value in OURS[service]["environment"].items() if name.startswith("SEMJPEG_")}
    assert variables
    for variable in variables:
        section, field = variable.removeprefix("SEMJPEG_").lower().split("__")
        assert field in Settings.model_fields[section].annotation.model_fields
    with monkeypatch.context() as context:
        context.chdir(tmp_path)
        for variable, value in variables.items():
            context.setenv(variable, defaults(value))
        Settings.load()


@pytest.mark.parametrize("service", EVERYTHING)
def test_every_address_is_that_of_a_service_and_its_port(service):
    text = yaml.safe_dump(COMPOSE["services"][service], width=1000)
    hosts = re.findall(r"(?:http|redis)://(?:\S+@)?([a-z0-9.-]+):(\d+)", text)
    assert hosts or service in {"broker", *MONITORING}
    assert all(PORTS[host] == port for host, port in hosts if host != "127.0.0.1")
    assert all(port in PORTS.values() for _, port in hosts)


def test_only_the_store_and_the_dashboard_are_published_and_on_this_machine_alone():
    published = {name: s["ports"] for name, s in COMPOSE["services"].items() if "ports" in s}
    assert published == {"s3": [f"127.0.0.1:{PORTS['s3']}:{PORTS['s3']}"], "grafana": ["127.0.0.1:3000:3000"]}


@pytest.mark.parametrize("service", OURS)
def test_every_image_is_built_from_a_stage_that_exists(service):
    build = OURS[service]["build"]
    stages = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / build["dockerfile"]).read_text(), re.MULTILINE)
    assert build["target"] in stages
    assert OURS[service]["image"] == f"semjpeg-{build['target']}"


def test_everything_that_the_images_copy_exists():
    copied = re.findall(r"^COPY (?!--from)(\S+) ", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
    assert "locks/gpu.txt" in copied
    assert all((ROOT / path).exists() for path in copied)


def test_a_worker_is_given_longer_to_stop_than_it_drains():
    grace_s = int(OURS["worker-cpu"]["stop_grace_period"].removesuffix("s"))
    assert grace_s >= Settings().worker.drain_s + 15


def test_what_the_buckets_service_runs_is_python():
    compile(OURS["buckets"]["command"][0], "buckets", "exec")


def test_each_part_has_a_user_of_its_own_at_the_broker():
    acl = (ROOT / "deploy/redis/users.acl").read_text()
    users = set(re.findall(r"^user (semjpeg-\w+) ", acl, re.MULTILINE))
    urls = {name: s["environment"].get("SEMJPEG_BROKER__URL", "") for name, s in OURS.items()}
    used = {name: urlsplit(defaults(url)) for name, url in urls.items() if url}
    assert {name: parts.username for name, parts in used.items()} == {
        "events": "semjpeg-producer",
        "reconcile": "semjpeg-producer",
        "status": "semjpeg-reader",
        "worker-cpu": "semjpeg-worker",
        "worker-gpu": "semjpeg-worker",
    }
    assert {parts.username for parts in used.values()} == users - {"semjpeg-scaler"}  # for KEDA alone
    known = COMPOSE["services"]["broker"]["environment"]
    for parts in used.values():
        assert defaults(known[f"{parts.username.removeprefix('semjpeg-').upper()}_PASSWORD"]) == parts.password
    assert len({parts.password for parts in used.values()}) == 3


def test_the_broker_is_started_by_our_script_with_our_users():
    broker = COMPOSE["services"]["broker"]
    assert "./deploy/redis:/etc/semjpeg:ro" in broker["volumes"]
    assert broker["command"][:2] == ["sh", "/etc/semjpeg/start.sh"]
    needed = set(re.findall(r"\$\{(\w+):\?\}", (ROOT / "deploy/redis/start.sh").read_text()))
    assert needed == set(broker["environment"])
    assert "--user semjpeg-reader" in broker["healthcheck"]["test"][1]


def test_the_store_tells_the_webhook_and_starts_after_it():
    store, webhook = COMPOSE["services"]["s3"], COMPOSE["services"]["events"]
    told = urlsplit(defaults(store["environment"]["VGW_EVENT_WEBHOOK_URL"]))
    assert (told.hostname, str(told.port)) == ("events", PORTS["events"])
    assert told.password == defaults(webhook["environment"]["SEMJPEG_EVENTS__TOKEN"])
    assert store["depends_on"] == {"events": {"condition": "service_healthy"}}
    assert webhook["depends_on"] == {"broker": {"condition": "service_healthy"}}
    assert webhook["healthcheck"]["test"][:3] == ["CMD", "python", "-c"]
    assert f":{PORTS['events']}{HEALTH_PATH}" in webhook["healthcheck"]["test"][3]
    compile(webhook["healthcheck"]["test"][3], "healthcheck", "exec")


@pytest.mark.parametrize("service", [*OURS, "broker", *MONITORING])
def test_what_we_start_may_do_little(service):
    confined = COMPOSE["services"][service]
    assert confined["read_only"] is True
    assert confined["cap_drop"] == ["ALL"]
    assert confined["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("service", sorted(set(EVERYTHING) - set(OURS)))
def test_every_foreign_image_is_of_one_version(service):
    assert re.search(r":v?\d+\.\d+\.\d+", COMPOSE["services"][service]["image"])


def test_every_secret_can_be_set():
    text = (ROOT / "docker-compose.yml").read_text()
    named = set(re.findall(r"\$\{(\w+):-", text))
    passwords = {f"BROKER_{part}_PASSWORD" for part in ("WORKER", "PRODUCER", "READER")}
    assert named == passwords | {"S3_ACCESS_KEY", "S3_SECRET_KEY", "EVENTS_TOKEN"}

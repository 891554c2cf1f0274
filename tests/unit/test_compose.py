"""`docker-compose.yml` against the Compose schema and against the code: each command, variable and port exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from config.settings import Settings
from semjpeg.cli import cli

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {name: s for name, s in COMPOSE["services"].items() if s.get("image", "").startswith("semjpeg-")}
COMMANDS = {name: s["command"] for name, s in OURS.items() if "entrypoint" not in s}


def test_it_fits_the_compose_schema():
    schema = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*schema, "docker-compose.yml"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_cpu_and_a_gpu_worker_have_profiles_of_their_own():
    assert {name: s["profiles"] for name, s in OURS.items() if "profiles" in s} == {
        "worker-cpu": ["cpu"],
        "worker-gpu": ["gpu"],
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
def test_every_variable_is_a_setting(service):
    variables = [name for name in OURS[service]["environment"] if name.startswith("SEMJPEG_")]
    assert variables
    for variable in variables:
        section, field = variable.removeprefix("SEMJPEG_").lower().split("__")
        assert field in Settings.model_fields[section].annotation.model_fields


@pytest.mark.parametrize("service", OURS)
def test_every_address_is_that_of_a_service_and_its_port(service):
    ports = {"broker": "6379", "s3": COMPOSE["services"]["s3"]["command"][1].removeprefix(":")}
    text = yaml.safe_dump(OURS[service])
    hosts = re.findall(r"(?:http://|redis://:\S+@)([a-z0-9-]+):(\d+)", text)
    assert hosts
    assert all(ports[host] == port for host, port in hosts)
    [published] = COMPOSE["services"]["s3"]["ports"]
    assert published.endswith(f":{ports['s3']}:{ports['s3']}")


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


def test_the_worker_is_given_longer_to_stop_than_an_image_may_take():
    minutes = int(OURS["worker-cpu"]["stop_grace_period"].removesuffix("m"))
    assert minutes * 60 > Settings().limits.deadline_s


def test_what_the_buckets_service_runs_is_python():
    compile(OURS["buckets"]["command"][0], "buckets", "exec")

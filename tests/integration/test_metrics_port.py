"""Two commands with one port for metrics, as `docker exec` and `kubectl exec` have it: real processes."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from uuid import uuid4

import pytest

from config.settings import SHARED_PORT
from semjpeg.demo.processes import Processes
from semjpeg.demo.servers import free_port

pytestmark = pytest.mark.only_moto(reason="says nothing of the store")
HOST = "127.94.6.5"  # no other test and no server of this machine listens at this address
PATIENCE_S = 60


def ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz") as answer:  # noqa: S310 - our own process' address
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture
def main_process(desk, tmp_path):
    """Starts a webhook that serves its metrics at a port, which becomes the setting of all commands of the desk."""
    with Processes(tmp_path, desk.environment) as processes:

        def start(port: int) -> None:
            here = {"SEMJPEG_PROMETHEUS__HOST": HOST, "SEMJPEG_PROMETHEUS__PORT": str(port)}
            desk.environment |= here
            processes.environment |= here | {"SEMJPEG_EVENTS__TOKEN": uuid4().hex}
            processes.start("main", sys.executable, "-m", "semjpeg", "events", "serve", *desk.places, "--port", "0")
            until = time.monotonic() + PATIENCE_S
            while not ready(f"http://{HOST}:{port}"):
                processes.check()
                assert time.monotonic() < until
                time.sleep(0.05)

        yield start


def test_a_command_beside_the_main_process_does_its_work_without_metrics(main_process, desk):
    main_process(SHARED_PORT)
    desk.put("in/a.png", "in/b.png")
    status, out = desk.run("enqueue", *desk.places)
    assert status == 0, out
    assert desk.keys() == ["in/a.png", "in/b.png"]
    warnings = [line for line in out.splitlines() if line.startswith("{") and json.loads(line)["level"] == "warning"]
    [warning] = [json.loads(line) for line in warnings]
    assert warning["event"] == "no metrics of this process"
    assert warning["port"] == SHARED_PORT
    assert ready(f"http://{HOST}:{SHARED_PORT}")


def test_a_port_that_was_chosen_for_one_process_has_to_be_free(main_process, desk):
    port = free_port()
    main_process(port)
    status, out = desk.run("enqueue", *desk.places)
    assert status == 2
    assert f"prometheus.port {port}: cannot listen there" in out
    assert desk.keys() == []

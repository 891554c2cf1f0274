"""`deploy/Dockerfile` and `.dockerignore` against the locks, the settings and the project."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import threading
import tomllib
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import requires, version
from pathlib import Path
from urllib.error import HTTPError

import pytest
from packaging.requirements import Requirement

from config.settings import SHARED_PORT, Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "deploy/Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TARGETS = ["producer", "worker", "worker-gpu"]
LINES = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE)).splitlines()
INSTRUCTIONS = [tuple(line.split(" ", 1)) for line in LINES if line]
ARGUMENTS = {text.partition("=")[0]: text.partition("=")[2] for word, text in INSTRUCTIONS if word == "ARG"}


def stages():
    """The instructions of each stage, the first of which is where it comes from."""
    found = {}
    for word, text in INSTRUCTIONS:
        if word == "FROM":
            origin, _, name = text.partition(" AS ")
            assert name not in found
            found[name] = [(word, origin)]
        elif found:
            found[[*found][-1]].append((word, text))
    return found


STAGES = stages()


def all_of(stage):
    """The instructions of a stage and of those that it comes from, in the order in which they hold."""
    (_, origin), *rest = STAGES[stage]
    return [*(all_of(origin) if origin in STAGES else []), *rest]


def environment(stage):
    pairs = [pair for word, text in all_of(stage) if word == "ENV" for pair in shlex.split(text)]
    return dict(pair.split("=", 1) for pair in pairs)


def copies(stage):
    """Where from, what and whereto, of what a stage copies."""
    for word, text in all_of(stage):
        if word == "COPY":
            flags = dict(re.findall(r"--(\w+)(?:=(\S+))?", text))
            source, target = [part for part in text.split() if not part.startswith("--")]
            yield flags.get("from"), source, target


def locked(name):
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", (ROOT / "locks" / name).read_text(), re.MULTILINE))


def last(stage, wanted):
    return [text for word, text in all_of(stage) if word == wanted][-1]


def test_every_stage_comes_from_an_earlier_one_or_from_the_pinned_python():
    known = []
    for name in STAGES:
        _, origin = STAGES[name][0]
        assert origin == "${PYTHON_IMAGE}" or origin in known
        assert {source for source, _, _ in copies(name)} <= {None, *known}
        known.append(name)
    assert set(TARGETS) <= set(known)


def test_the_base_image_is_of_one_version_which_the_locks_are_for():
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", ARGUMENTS["PYTHON_IMAGE"])
    assert "--python-version 3.11" in (ROOT / "Makefile").read_text()
    assert "latest" not in TEXT


def test_the_label_says_the_version_of_the_project():
    assert ARGUMENTS["VERSION"] == PROJECT["project"]["version"]
    assert ARGUMENTS["VERSION"] == version("semjpeg")


@pytest.mark.parametrize("target", TARGETS)
def test_what_runs_is_nobody_special(target):
    assert last(target, "USER") == "10001:10001"
    own = [word for word, _ in all_of(target)]
    assert "RUN" not in own[own.index("USER") :]
    assert "--uid 10001" in " ".join(text for word, text in all_of(target) if word == "RUN")


@pytest.mark.parametrize("target", TARGETS)
def test_what_runs_hears_sigterm_at_any_moment(target):
    assert last(target, "STOPSIGNAL") == "SIGTERM"
    assert json.loads(last(target, "ENTRYPOINT")) == ["tini", "--", "semjpeg"]
    assert "install --yes --no-install-recommends tini" in " ".join(text for _, text in all_of(target))


@pytest.mark.parametrize("target", TARGETS)
def test_what_runs_has_its_own_packages_and_no_tools(target):
    copied = {source: (path, to) for source, path, to in copies(target)}
    code = "application" if target == "producer" else "kernels"
    assert copied == {
        f"{target}-packages": ("/opt/packages", "/opt/packages"),
        code: ("/application", "/application"),
    }
    found = environment(target)
    assert found["PATH"].split(":")[:2] == ["/application/bin", "/opt/packages/bin"]
    assert found["PYTHONPATH"] == "/application"
    assert found["HOME"] == "/tmp"  # noqa: S108 - the one folder of the container that can be written


def test_each_lock_that_is_installed_exists_and_is_checked():
    for _, text in INSTRUCTIONS:
        if "pip install" in text:
            assert "--require-hashes" in text or "--no-deps --no-build-isolation" in text
    for target, lock in zip(TARGETS, ["producer", "worker", "gpu"], strict=True):
        assert (None, f"locks/{lock}.txt", "/tmp/lock.txt") in copies(f"{target}-packages")  # noqa: S108
        assert (ROOT / f"locks/{lock}.txt").is_file()


@pytest.mark.parametrize(("first", "then"), [("producer", "worker"), ("worker", "gpu")])
def test_a_lock_has_what_the_one_before_has(first, then):
    assert locked(f"{first}.txt").items() <= locked(f"{then}.txt").items()


def test_the_build_installs_all_that_the_build_backend_needs():
    [text] = [text for word, text in STAGES["application"] if word == "RUN" and "awk" in text]
    program = re.search(r"awk '([^']+)' ", text)[1]
    command = ["awk", program, str(ROOT / "locks/dev.txt")]
    chosen = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names = set(re.findall(r"^([a-z-]+)==\S+ \\\n    --hash=", chosen, re.MULTILINE))
    needed, open_ends = set(), {Requirement(r).name for r in PROJECT["build-system"]["requires"]}
    while open_ends:
        needed |= open_ends
        found = [Requirement(r) for name in open_ends for r in requires(name) or ()]
        open_ends = {r.name for r in found if not r.marker or r.marker.evaluate()} - needed
    assert names == needed


def test_the_kernels_are_compiled_once_for_all_workers():
    compiling = [name for name, stage in STAGES.items() for word, text in stage if "import codec" in text]
    assert compiling == ["kernels"]
    assert STAGES["kernels"][0] == ("FROM", "worker-packages")


@pytest.mark.parametrize("target", TARGETS)
def test_the_environment_of_an_image_is_made_of_settings(monkeypatch, tmp_path, target):
    ours = {name: value for name, value in environment(target).items() if name.startswith("SEMJPEG_")}
    monkeypatch.chdir(tmp_path)
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    prometheus = Settings.load().prometheus
    assert (prometheus.host, prometheus.port) == ("0.0.0.0", SHARED_PORT)  # noqa: S104 - inside of a container
    assert str(prometheus.port) in [text for word, text in all_of(target) if word == "EXPOSE"]


@pytest.mark.parametrize("target", TARGETS)
def test_only_workers_ask_for_huge_pages(target):
    assert environment(target).get("GLIBC_TUNABLES") == (None if target == "producer" else "glibc.malloc.hugetlb=1")


@pytest.mark.parametrize("answer", [200, 503])
def test_a_container_is_healthy_while_it_makes_progress(answer):
    check = last("base", "HEALTHCHECK")
    command = json.loads(check.partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]
    port = environment("base")["SEMJPEG_PROMETHEUS__PORT"]
    assert f"http://127.0.0.1:{port}/healthz'" in command[2]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(answer if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        code = compile(command[2].replace(f":{port}/", f":{server.server_port}/"), "healthcheck", "exec")
        if answer == 200:
            exec(code, {})  # noqa: S102 - it is what the image would run
        else:
            with pytest.raises(HTTPError) as refused:
                exec(code, {})  # noqa: S102
            refused.value.close()
        thread.join()


def test_nothing_secret_is_built_in():
    names = [*ARGUMENTS, *(name for stage in STAGES for name in environment(stage))]
    assert not [name for name in names if re.search("SECRET|TOKEN|PASSWORD|CREDENTIAL|KEY", name)]
    assert not [text for word, text in INSTRUCTIONS if word == "ADD"]


def test_what_apt_leaves_is_removed_in_the_same_layer():
    for _, text in INSTRUCTIONS:
        if "apt-get" in text:
            assert text.startswith("apt-get update &&")
            assert "--no-install-recommends" in text
            assert "rm -rf /var/lib/apt/lists/*" in text


def goes_in(path):
    """Whether Docker sends a path of the project to the build: the last pattern that fits decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern, wanted = line.removeprefix("!"), line.startswith("!")
            parts = [path.split("/")[:n] for n in range(1, path.count("/") + 2)]
            inner = pattern.removeprefix("**/")
            if any(fnmatch("/".join(part), pattern) or (inner != pattern and part[-1] == inner) for part in parts):
                sent = wanted
    return sent


def test_all_that_the_wheel_is_made_of_goes_in():
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    files = ["pyproject.toml", PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]]
    for path in [*files, *(f"{package}/__init__.py" for package in packages)]:
        assert (ROOT / path).is_file()
        assert goes_in(path)
    assert all(goes_in(path) for stage in STAGES for source, path, _ in copies(stage) if source is None and path != ".")


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".env",
        "semjpeg.toml",
        "deploy/kubernetes/secrets.yaml",
        "tests/unit/test_compose.py",
        ".venv/bin/python",
        "codec/__pycache__/dct.cpython-311.pyc",
        "demo-out/report.html",
    ],
)
def test_nothing_else_goes_in(path):
    assert not goes_in(path)

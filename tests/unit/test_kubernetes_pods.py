"""What the pods of `deploy/kubernetes` run, against the code, the images and each other."""

from __future__ import annotations

import re
import tomllib
from math import ceil
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest
import yaml

from config.queues import BULK, LIVE, QUEUES, queue_key
from config.settings import Settings
from semjpeg.cli import cli
from worker.memory import BYTES_PER_PX

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/kubernetes"
FILES = [p for p in FOLDER.rglob("*.yaml") if p.name != "kustomization.yaml"]
ALL = {(d["kind"], d["metadata"]["name"]): d for p in FILES for d in yaml.safe_load_all(p.read_text())}
SECRETS = {name: d["stringData"] for (kind, name), d in ALL.items() if kind == "Secret"}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
WORKERS = ["worker", "worker-gpu"]


def pod(name):
    """The pod's specification."""
    [spec] = [
        d["spec"] for (kind, n), d in ALL.items() if n == name and kind in {"Deployment", "StatefulSet", "CronJob"}
    ]
    return (spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec)["template"]["spec"]


def container(name):
    [only] = pod(name)["containers"]
    return only


OURS = [n for kind, n in ALL if kind in {"Deployment", "CronJob"}]


def environment(name):
    """The variables that a pod's command sees, with the example's secrets."""
    found = {pair["name"]: pair["value"] for pair in container(name)["env"]}
    for source in container(name)["envFrom"]:
        found |= SECRETS[source["secretRef"]["name"]]
    return found


@pytest.mark.parametrize("name", OURS)
def test_the_settings_of_a_pod_are_settings(monkeypatch, name):
    variables = environment(name)
    mounted = {mount["name"]: mount["mountPath"] for mount in container(name)["volumeMounts"]}
    file = FOLDER / "base/semjpeg.toml"
    assert variables.pop("SEMJPEG_CONFIG") == f"{mounted['settings']}/{file.name}"
    monkeypatch.setenv("SEMJPEG_CONFIG", str(file))
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    settings = Settings.load()
    assert settings.broker.url.get_secret_value() == variables["SEMJPEG_BROKER__URL"]
    assert settings.routes
    assert {v for v in variables if not v.startswith("SEMJPEG_")} == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


@pytest.mark.parametrize("name", OURS)
def test_every_command_and_option_exists(name):
    command, *arguments = container(name)["args"]
    context = click.Context(cli)
    found = cli.get_command(context, command)
    assert found is not None
    while isinstance(found, click.Group):
        command, *arguments = arguments
        found = found.get_command(context, command)
        assert found is not None
    found.make_context(command, list(arguments))  # parses, and does not run


def test_a_scan_heals_what_the_notifications_bring():
    [route] = tomllib.loads((FOLDER / "base/semjpeg.toml").read_text())["routes"]
    assert container("reconcile")["args"][1:3] == [route["source"], route["output"]]


@pytest.mark.parametrize("name", OURS)
def test_every_image_is_built_from_a_stage_that_exists(name):
    stages = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
    expected = name if name in WORKERS else "producer"
    assert expected in stages
    assert container(name)["image"] == f"semjpeg-{expected}:{VERSION}"


def test_the_broker_is_that_of_compose():
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["broker"]
    assert container("broker")["image"] == compose["image"]
    assert re.search(r":\d+\.\d+\.\d+", compose["image"])
    security = pod("broker")["securityContext"]
    assert f"{security['runAsUser']}:{security['runAsGroup']}" == compose["user"]
    assert set(SECRETS["semjpeg-broker"]) == set(compose["environment"]) | {"SCALER_PASSWORD"}


def test_the_broker_forgets_nothing_that_it_was_given():
    command = container("broker")["command"]
    assert (ROOT / "deploy/redis" / Path(command[1]).name).is_file()
    assert {"name": "users", "mountPath": str(Path(command[1]).parent), "readOnly": True} in container("broker")[
        "volumeMounts"
    ]
    options = dict(zip(command[2::2], command[3::2], strict=True))
    assert options.pop("--maxmemory") == "1gb"
    assert container("broker")["resources"]["limits"]["memory"] == "2Gi"
    assert options == {
        "--dir": "/data",
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--maxmemory-policy": "noeviction",
    }


@pytest.mark.parametrize("secret", ["semjpeg-worker", "semjpeg-producer", "semjpeg-scaler"])
def test_each_part_has_a_user_of_its_own_at_the_broker(secret):
    values = SECRETS[secret]
    username = values.get("username") or urlsplit(values["SEMJPEG_BROKER__URL"]).username
    assert username == secret
    assert all(url.hostname == "broker" for url in [urlsplit(values.get("SEMJPEG_BROKER__URL", "redis://broker"))])


# ---- how long things may take ----


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_may_drain_before_it_is_killed(name):
    deadline_s = Settings().limits.deadline_s
    assert pod(name)["terminationGracePeriodSeconds"] >= Settings().worker.drain_s + 15
    scaled = ALL["ScaledObject", name]["spec"]
    down = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] > deadline_s
    assert all(policy["periodSeconds"] >= pod(name)["terminationGracePeriodSeconds"] for policy in down["policies"])
    assert (scaled["minReplicaCount"] == 0) == ("cooldownPeriod" in scaled)  # it matters on the way to none alone
    assert scaled.get("cooldownPeriod", 900) > deadline_s + Settings().broker.visibility_timeout_s


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_is_not_restarted_while_it_starts_or_for_one_missed_answer(name):
    start, live = container(name)["startupProbe"], container(name)["livenessProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= 180
    assert live["failureThreshold"] > 1
    assert "terminationGracePeriodSeconds" not in live  # what is stuck is given back, as on every other end


# ---- what workers have ----


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_has_whole_processors_of_its_own(name):
    needs = container(name)["resources"]
    assert needs["requests"]["cpu"] == needs["limits"]["cpu"]
    assert needs["requests"]["memory"] == needs["limits"]["memory"]
    assert needs["limits"]["cpu"].isdigit()
    assert "SEMJPEG_WORKER__THREADS" not in environment(name)  # it follows from the limit


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_has_memory_for_the_largest_picture(name):
    gigabytes = int(container(name)["resources"]["limits"]["memory"].removesuffix("Gi"))
    of_the_process = 850_000_000
    assert gigabytes << 30 > Settings().limits.max_pixels * BYTES_PER_PX + of_the_process


def test_a_gpu_worker_has_one_gpu_on_a_node_for_that():
    needs = container("worker-gpu")["resources"]
    assert needs["requests"]["nvidia.com/gpu"] == needs["limits"]["nvidia.com/gpu"] == "1"
    assert pod("worker-gpu")["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert pod("worker-gpu")["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert ALL["Deployment", "worker-gpu"]["spec"]["strategy"] == {
        "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}
    }


def without(pod_spec, *names):
    [only] = pod_spec["containers"]
    kept = {key: value for key, value in only.items() if key not in names}
    return {key: value for key, value in pod_spec.items() if key not in names} | {"containers": [kept]}


def test_a_gpu_worker_is_otherwise_like_the_others():
    differ = ["image", "resources", "nodeSelector", "tolerations", "topologySpreadConstraints"]
    assert without(pod("worker-gpu"), *differ) == without(pod("worker"), *differ)
    plain, gpu = (ALL["PodDisruptionBudget", name]["spec"] for name in WORKERS)
    assert {**plain, "selector": None} == {**gpu, "selector": None}


# ---- how many there are ----


@pytest.mark.parametrize("name", WORKERS)
def test_an_autoscaler_looks_at_the_queues_of_its_workers(name):
    scaled = ALL["ScaledObject", name]["spec"]
    assert scaled["scaleTargetRef"] == {"name": name}
    assert "replicas" not in ALL["Deployment", name]["spec"]
    lists = [trigger["metadata"]["listName"] for trigger in scaled["triggers"]]
    queues = container(name)["args"][container(name)["args"].index("--queues") + 1].split(",")
    assert lists == [queue_key(Settings().broker.key_prefix, queue) for queue in queues]
    assert tuple(queues) == QUEUES
    assert [trigger["name"] for trigger in scaled["triggers"]] == queues
    database = urlsplit(SECRETS["semjpeg-worker"]["SEMJPEG_BROKER__URL"]).path.removeprefix("/")
    assert {trigger["metadata"]["databaseIndex"] for trigger in scaled["triggers"]} == {database}


@pytest.mark.parametrize("name", WORKERS)
def test_a_full_queue_calls_all_workers(name):
    scaled = ALL["ScaledObject", name]["spec"]
    per_worker = {t["name"]: int(t["metadata"]["listLength"]) for t in scaled["triggers"]}
    assert ceil(Settings().producer.low_water / per_worker[BULK]) > scaled["minReplicaCount"]
    assert Settings().producer.high_water // per_worker[BULK] >= scaled["maxReplicaCount"]
    assert per_worker[LIVE] < per_worker[BULK]
    assert scaled["minReplicaCount"] < scaled["fallback"]["replicas"] <= scaled["maxReplicaCount"]


@pytest.mark.parametrize("name", WORKERS)
def test_the_autoscaler_signs_in_with_what_its_secret_holds(name):
    authentication = ALL["TriggerAuthentication", "broker"]["spec"]["secretTargetRef"]
    for trigger in ALL["ScaledObject", name]["spec"]["triggers"]:
        assert trigger["authenticationRef"] == {"name": "broker"}
        assert "address" not in trigger["metadata"]
        assert "enableTLS" not in trigger["metadata"]  # KEDA takes it from one of the two places
    assert {ref["parameter"] for ref in authentication} == {"address", "username", "password", "tls"}
    assert all(ref["key"] in SECRETS[ref["name"]] for ref in authentication)
    assert SECRETS["semjpeg-scaler"]["tls"] in {"enable", "disable"}


def test_the_guide_says_what_the_manifests_say():
    guide = (ROOT / "docs/kubernetes.md").read_text()
    lengths = {t["name"]: t["metadata"]["listLength"] for t in ALL["ScaledObject", "worker"]["spec"]["triggers"]}
    assert f"each {lengths['live']} jobs of\n`live`, one for each {lengths['bulk']} of `bulk`" in guide
    assert f"{pod('worker')['terminationGracePeriodSeconds']} s for that" in guide
    assert f"`cooldownPeriod` ({ALL['ScaledObject', 'worker-gpu']['spec']['cooldownPeriod']} s)" in guide
    assert all(f"`{path.parent.relative_to(FOLDER)}`" in guide for path in FOLDER.rglob("kustomization.yaml"))


def test_the_guide_puts_together_what_is_there():
    guide = (ROOT / "docs/kubernetes.md").read_text()
    example = yaml.safe_load(re.search(r"```yaml\n(.*?)```", guide, re.DOTALL)[1])
    for path in [*example["resources"], *example["components"]]:
        assert (ROOT.parent / path.replace("../semjpeg", ROOT.name) / "kustomization.yaml").is_file()
    images = {container(name)["image"] for name in OURS}
    assert {f"{image['name']}:{image['newTag']}" for image in example["images"]} <= images
    [made] = example["configMapGenerator"]
    [base] = yaml.safe_load((FOLDER / "base/kustomization.yaml").read_text())["configMapGenerator"]
    assert made == base | {"behavior": "replace"}

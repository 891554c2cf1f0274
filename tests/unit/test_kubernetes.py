"""`deploy/kubernetes` against itself and against the code."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import yaml

from config.telemetry.server import HEALTH_PATH
from producer.webhook import HEALTH_PATH as WEBHOOK_HEALTH_PATH
from semjpeg.commands import events

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/kubernetes"
KUSTOMIZATIONS = sorted(str(p.parent.relative_to(FOLDER)) for p in FOLDER.rglob("kustomization.yaml"))
METRICS = 9464


def documents(path):
    return [d for d in yaml.safe_load_all(path.read_text()) if d]


def resolve(folder):
    """What kustomize makes of a folder, as far as ours go: resources, components and ConfigMaps from files."""
    [kustomization] = documents(folder / "kustomization.yaml")
    found = []
    for entry in [*kustomization.pop("resources", []), *kustomization.pop("components", [])]:
        path = (folder / entry).resolve()
        found += resolve(path) if path.is_dir() else documents(path)
    for made in kustomization.pop("configMapGenerator", []):
        data = {file: (folder / file).read_text() for file in made.pop("files")}
        found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": made, "data": data})
    component = folder.parent.name == "components"
    kind, version = ("Component", "v1alpha1") if component else ("Kustomization", "v1beta1")
    assert kustomization == {"kind": kind, "apiVersion": f"kustomize.config.k8s.io/{version}"}
    return found


EACH = [(name, d) for name in KUSTOMIZATIONS for d in resolve(FOLDER / name)]
SECRETS = {d["metadata"]["name"]: d for d in documents(FOLDER / "secrets.example.yaml")}
ALL = {(d["kind"], d["metadata"]["name"]): d for _, d in EACH}


def of_kind(*kinds):
    return [pytest.param(d, id=f"{d['kind']}-{name}") for (_, name), d in ALL.items() if d["kind"] in kinds]


def template(workload):
    spec = workload["spec"]
    return spec["jobTemplate"]["spec"]["template"] if workload["kind"] == "CronJob" else spec["template"]


WORKLOADS = of_kind("Deployment", "StatefulSet", "CronJob")
LABELS = {w.values[0]["metadata"]["name"]: template(w.values[0])["metadata"]["labels"] for w in WORKLOADS}


def container(workload):
    [only] = template(workload)["spec"]["containers"]
    return only


def selected(selector):
    """The names of the workloads whose pods a selector selects."""
    wanted = dict(selector.get("matchLabels", {}))
    ranges = {e["key"]: e["values"] for e in selector.get("matchExpressions", []) if e["operator"] == "In"}
    assert len(ranges) == len(selector.get("matchExpressions", []))
    return {
        name
        for name, labels in LABELS.items()
        if wanted.items() <= labels.items() and all(labels.get(key) in values for key, values in ranges.items())
    }


# ---- against itself ----


def test_every_file_is_part_of_a_kustomization():
    used = {"secrets.example.yaml"}
    for name in KUSTOMIZATIONS:
        [kustomization] = documents(FOLDER / name / "kustomization.yaml")
        generated = [file for made in kustomization.get("configMapGenerator", []) for file in made["files"]]
        entries = ["kustomization.yaml", *kustomization.get("resources", []), *generated]
        used |= {str((FOLDER / name / entry).resolve().relative_to(FOLDER)) for entry in entries}
    assert {str(p.relative_to(FOLDER)) for p in FOLDER.rglob("*") if p.is_file()} <= used


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_nothing_is_there_twice_and_all_in_one_namespace(name):
    found = resolve(FOLDER / name)
    names = [(d["kind"], d["metadata"]["name"]) for d in found]
    assert len(set(names)) == len(names)
    assert {d["metadata"].get("namespace") for d in found if d["kind"] != "Namespace"} == {"semjpeg"}
    assert all(ALL[key] == d for key, d in zip(names, found, strict=True))


@pytest.mark.parametrize("workload", WORKLOADS)
def test_what_a_pod_refers_to_exists(workload):
    pod, only = template(workload)["spec"], container(workload)
    maps = {name for kind, name in ALL if kind == "ConfigMap"} | {"broker"}  # made by a command that its file names
    assert {v["configMap"]["name"] for v in pod["volumes"] if "configMap" in v} <= maps
    assert {source["secretRef"]["name"] for source in only["envFrom"]} <= set(SECRETS)
    assert ("ServiceAccount", pod["serviceAccountName"]) in ALL
    claims = [claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])]
    assert {mount["name"] for mount in only["volumeMounts"]} == {v["name"] for v in pod["volumes"]} | set(claims)
    assert "--from-file=deploy/redis" in (FOLDER / "components/valkey/broker.yaml").read_text()


@pytest.mark.parametrize("document", of_kind("Deployment", "StatefulSet", "PodDisruptionBudget", "Service"))
def test_a_selector_selects_the_pods_of_its_name_alone(document):
    selector = document["spec"]["selector"]
    selector = {"matchLabels": selector} if document["kind"] == "Service" else selector
    assert selected(selector) == {document["metadata"]["name"]}
    if document["kind"] == "Deployment":
        [spread] = template(document)["spec"]["topologySpreadConstraints"]
        assert spread["labelSelector"] == selector


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_pod_may_do_little(workload):
    pod, only = template(workload)["spec"], container(workload)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == (10001 if workload["metadata"]["name"] != "broker" else 999)
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert {"name": "tmp", "mountPath": "/tmp"} in only["volumeMounts"]  # noqa: S108
    assert all({"configMap", "emptyDir"} & set(volume) for volume in pod["volumes"])


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_pod_says_what_it_needs(workload):
    needs = container(workload)["resources"]
    assert {"cpu", "memory", "ephemeral-storage"} <= set(needs["requests"]) & set(needs["limits"])


def test_no_secret_is_kept_here():
    assert not [name for kind, name in ALL if kind == "Secret"]
    assert "example" in (FOLDER / "secrets.example.yaml").name
    for secret in SECRETS.values():
        passwords = {key: v for key, v in secret["stringData"].items() if re.search("(?i)password|token|key", key)}
        assert all(value.startswith("change-me") for value in passwords.values())


# ---- the network ----


def rules(names, direction):
    """What the policies of some kustomizations allow, by workload: with whom, at which ports."""
    found = {}
    for policy in [d for name in names for d in resolve(FOLDER / name) if d["kind"] == "NetworkPolicy"]:
        spec = policy["spec"]
        assert direction.lower() not in spec or direction in spec["policyTypes"]
        for workload in selected(spec["podSelector"]):
            for rule in spec.get(direction.lower(), []):
                peers = rule.get("from" if direction == "Ingress" else "to", [])
                found.setdefault(workload, []).append((peers, {port["port"] for port in rule["ports"]}))
    return found


def test_what_is_not_allowed_is_denied():
    policy = ALL["NetworkPolicy", "default-deny"]["spec"]
    assert policy == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_a_worker_talks_to_broker_store_and_names_alone():
    out = rules(["base"], "Egress")
    for workload in ("worker", "worker-gpu", "events", "reconcile"):
        assert sorted(min(ports) for _, ports in out[workload]) == [53, 443, 6379]
        for peers, ports in out[workload]:
            assert peers
            assert ports <= {53, 443, 6379}
            assert 443 not in ports or {peer["ipBlock"]["cidr"] for peer in peers} == {"0.0.0.0/0", "::/0"}


BLOCKS = [
    [peer["ipBlock"] for peer in rule.get(peers, []) if "ipBlock" in peer]
    for (kind, _), d in ALL.items()
    if kind == "NetworkPolicy"
    for direction, peers in (("ingress", "from"), ("egress", "to"))
    for rule in d["spec"].get(direction, [])
]


@pytest.mark.parametrize("blocks", [blocks for blocks in BLOCKS if blocks])
def test_what_is_allowed_over_ipv4_is_allowed_over_ipv6(blocks):
    assert {ip_network(block["cidr"]).version for block in blocks} == {4, 6}
    for block in blocks:
        whole, less = ip_network(block["cidr"]), [ip_network(cidr) for cidr in block.get("except", [])]
        assert all(part.version == whole.version and part != whole and part.subnet_of(whole) for part in less)


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.170.2", "fe80::a9fe:a9fe", "fd00:ec2::254", "fd20:ce::254", "fd00:c1::a9fe:a9fe"],
)
def test_no_pod_reaches_the_credentials_of_its_node(address):
    wanted, open_to = ip_address(address), []
    for peers, ports in rules(["base"], "Egress")["worker"]:
        for block in [peer["ipBlock"] for peer in peers if "ipBlock" in peer]:
            less = [ip_network(cidr) for cidr in block.get("except", [])]
            if wanted in ip_network(block["cidr"]) and not any(wanted in part for part in less):
                open_to.append(ports)
    assert open_to in ([], [{6379}])  # clouds answer at ports 80 and 443


def test_only_the_monitoring_may_ask_a_worker():
    into = rules(["base", "components/valkey"], "Ingress")
    monitoring = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert set(into) == {"worker", "worker-gpu", "events", "broker"}
    assert into["worker"] == into["worker-gpu"] == [(monitoring, {METRICS})]
    assert (monitoring, {METRICS}) in into["events"]
    assert ([], {PORTS["http"]}) in into["events"]


def test_everybody_who_needs_it_reaches_valkey():
    [(peers, ports)] = rules(["components/valkey"], "Ingress")["broker"]
    [[pods], [keda]] = [[p for p in peers if kind in p] for kind in ("podSelector", "namespaceSelector")]
    users = {"worker", "worker-gpu", "events", "reconcile"}
    assert selected(pods["podSelector"]) == users
    assert keda["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "keda"}
    out = rules(["components/valkey"], "Egress")
    assert set(out) == users
    for [(to, allowed)] in out.values():
        assert selected(to[0]["podSelector"]) == {"broker"}
        assert allowed == ports == {PORTS["redis"]}
    assert "broker" not in rules(["components/valkey"], "Egress")


PORTS = {
    "http": events.serve.params[[p.name for p in events.serve.params].index("port")].default,
    "metrics": METRICS,
    "redis": 6379,
}
HEALTH_PATHS = {"http": WEBHOOK_HEALTH_PATH, "metrics": HEALTH_PATH}


@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_port_is_that_of_the_code(workload):
    only = container(workload)
    declared = {port["name"]: port["containerPort"] for port in only.get("ports", [])}
    assert declared == {name: PORTS[name] for name in declared}
    for probe in [only[name] for name in only if name.endswith("Probe") and "exec" not in only[name]]:
        asked = probe.get("httpGet") or probe["tcpSocket"]
        assert asked["port"] in declared
        assert asked.get("path") == HEALTH_PATHS.get(asked["port"])
    annotations = template(workload)["metadata"].get("annotations", {})
    assert annotations.get("prometheus.io/port") == (str(METRICS) if "metrics" in declared else None)
    if "--port" in only.get("args", []):
        assert only["args"][only["args"].index("--port") + 1] == str(PORTS["http"])


@pytest.mark.parametrize("service", of_kind("Service"))
def test_a_service_leads_to_a_port_of_its_pods(service):
    [port] = service["spec"]["ports"]
    [workload] = [w.values[0] for w in WORKLOADS if w.values[0]["metadata"]["name"] == service["metadata"]["name"]]
    declared = {p["name"]: p["containerPort"] for p in container(workload)["ports"]}
    assert declared[port["targetPort"]] == port["port"] == PORTS[port["name"]]


def test_the_ingress_leads_to_the_webhook_by_https_alone():
    spec = ALL["Ingress", "events"]["spec"]
    [rule] = spec["rules"]
    [path] = rule["http"]["paths"]
    service = ALL["Service", path["backend"]["service"]["name"]]
    assert path["backend"]["service"]["port"]["name"] == service["spec"]["ports"][0]["name"]
    assert spec["tls"][0]["hosts"] == [rule["host"]]

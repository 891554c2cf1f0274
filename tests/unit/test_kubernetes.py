"""`deploy/kubernetes` against the schemas of the API and of KEDA, and against itself."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from pathlib import Path

import jsonschema
import kubernetes_validate
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


# ---- schemas ----


@pytest.mark.parametrize(
    "document", [d for d in [*ALL.values(), *SECRETS.values()] if "keda.sh" not in d["apiVersion"]]
)
def test_it_fits_the_schema_of_the_api(document):
    kubernetes_validate.validate(document, "1.37", strict=True)


def an_object(required, **properties):
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


TEXT, COUNT, YES_OR_NO = {"type": "string"}, {"type": "integer", "minimum": 0}, {"enum": ["true", "false"]}
NUMBER_AS_TEXT = {"type": "string", "pattern": "^[0-9]+$"}
RULES = an_object(
    [],
    stabilizationWindowSeconds={"type": "integer", "minimum": 0, "maximum": 3600},
    selectPolicy={"enum": ["Max", "Min", "Disabled"]},
    policies={
        "type": "array",
        "items": an_object(
            ["type", "value", "periodSeconds"],
            type={"enum": ["Percent", "Pods"]},
            value={"type": "integer", "minimum": 1},
            periodSeconds={"type": "integer", "minimum": 1, "maximum": 1800},
        ),
    },
)
REDIS_TRIGGER = an_object(
    ["type", "metadata"],
    type={"const": "redis"},
    name=TEXT,
    authenticationRef=an_object(["name"], name=TEXT, kind={"enum": ["TriggerAuthentication"]}),
    metadata=an_object(
        ["listName", "listLength"],
        address=TEXT,
        listName=TEXT,
        listLength=NUMBER_AS_TEXT,
        activationListLength=NUMBER_AS_TEXT,
        databaseIndex=NUMBER_AS_TEXT,
        enableTLS=YES_OR_NO,
        unsafeSsl=YES_OR_NO,
    ),
)
KEDA = {  # the fields of keda.sh/v1alpha1 as KEDA's reference describes them, of the scaler `redis` alone
    "ScaledObject": an_object(
        ["scaleTargetRef", "triggers"],
        scaleTargetRef=an_object(["name"], name=TEXT, apiVersion=TEXT, kind=TEXT, envSourceContainerName=TEXT),
        pollingInterval=COUNT,
        cooldownPeriod=COUNT,
        initialCooldownPeriod=COUNT,
        idleReplicaCount={"const": 0},
        minReplicaCount=COUNT,
        maxReplicaCount=COUNT,
        fallback=an_object(["failureThreshold", "replicas"], failureThreshold=COUNT, replicas=COUNT),
        advanced=an_object(
            [],
            restoreToOriginalReplicaCount={"type": "boolean"},
            horizontalPodAutoscalerConfig=an_object(
                [], name=TEXT, behavior=an_object([], scaleUp=RULES, scaleDown=RULES)
            ),
        ),
        triggers={"type": "array", "items": REDIS_TRIGGER, "minItems": 1},
    ),
    "TriggerAuthentication": an_object(
        ["secretTargetRef"],
        secretTargetRef={
            "type": "array",
            "items": an_object(
                ["parameter", "name", "key"],
                parameter={"enum": ["address", "username", "password", "tls", "ca", "cert", "key", "keyPassword"]},
                name=TEXT,
                key=TEXT,
            ),
        },
    ),
}


@pytest.mark.parametrize("document", of_kind(*KEDA))
def test_it_fits_what_keda_knows(document):
    whole = an_object(
        ["apiVersion", "kind", "metadata", "spec"],
        apiVersion={"const": "keda.sh/v1alpha1"},
        kind=TEXT,
        metadata=an_object(["name", "namespace"], name=TEXT, namespace=TEXT),
        spec=KEDA[document["kind"]],
    )
    jsonschema.validate(document, whole)


@pytest.mark.parametrize("document", [*ALL.values(), *SECRETS.values()])
def test_a_misspelt_field_would_be_noticed(document):
    within = next(key for key in ("spec", "metadata") if key in document)
    field = [*document[within]][-1]
    misspelt = document | {within: {(name + "x" if name == field else name): v for name, v in document[within].items()}}
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        (test_it_fits_what_keda_knows if document["kind"] in KEDA else test_it_fits_the_schema_of_the_api)(misspelt)


LABELS_AND_SUCH = {
    "app.kubernetes.io/name",
    "app.kubernetes.io/component",
    "k8s-app",
    "kubernetes.io/metadata.name",
    "nvidia.com/gpu.present",
    "pod-security.kubernetes.io/enforce",
    "prometheus.io/scrape",
    "prometheus.io/port",
}
AMOUNTS = {"cpu", "memory", "ephemeral-storage", "storage", "nvidia.com/gpu"}


def keys_of(value, *names):
    """The keys of all maps of these names, however deep: to the schemas any key is right there."""
    if isinstance(value, list):
        return {key for each in value for key in keys_of(each, *names)}
    if not isinstance(value, dict):
        return set()
    deeper = {key for each in value.values() for key in keys_of(each, *names)}
    return deeper | {key for name in names if isinstance(value.get(name), dict) for key in value[name]}


@pytest.mark.parametrize("document", ALL.values())
def test_a_name_that_no_schema_knows_is_one_of_ours(document):
    assert keys_of(document, "labels", "annotations", "matchLabels", "nodeSelector") <= LABELS_AND_SUCH
    assert keys_of(document, "requests", "limits") <= AMOUNTS


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

"""Rules, dashboard and configuration of Prometheus and Grafana against the code: every name and label exists."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from config.queues import BULK, LIVE
from config.settings import Settings
from config.telemetry import ProducerTelemetry, WorkerTelemetry
from config.telemetry.broker import BrokerState

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy/monitoring"
DOCUMENT = (ROOT / "docs/monitoring.md").read_text()
DASHBOARD = json.loads((MONITORING / "grafana/dashboards/semjpeg.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RULES = [
    rule
    for name in ("alerts", "recording")
    for group in yaml.safe_load((MONITORING / f"rules/{name}.yml").read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
CASES = yaml.safe_load((MONITORING / "alerts.test.yml").read_text())["tests"]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
NAME = r"\b(?:semjpeg_\w+|process_\w+)\b"
SELECTOR = rf"({NAME})\{{([^}}]*)\}}"
MATCHER = r'(\w+)\s*(=~|=|!=|!~)\s*"([^"]*)"'
TARGET_LABELS = {"job", "instance"}


def expressions() -> dict[str, str]:
    """Every expression by where it stands; Grafana's variables have the values that it would give them."""
    queries = {f"{panel['title']} {t['refId']}": t["expr"] for panel in PANELS for t in panel["targets"]}
    rules = {rule.get("alert", rule.get("record")): rule["expr"] for rule in RULES}
    return {name: expr.replace("$__rate_interval", "1m") for name, expr in {**queries, **rules}.items()}


EXPRESSIONS = expressions()


@pytest.fixture(scope="module")
def exported() -> dict[str, dict[str, set[str]]]:
    """What our processes export: the values of each label by name of the sample."""
    settings = Settings()
    families = []
    for telemetry in (
        WorkerTelemetry(settings, "model"),
        ProducerTelemetry(settings, LIVE),
        ProducerTelemetry(settings, BULK),
    ):
        telemetry._watch.look = lambda: BrokerState({"live": 1, "bulk": 2}, 3, 4)
        families += text_string_to_metric_families(generate_latest(telemetry.registry).decode())
    found: dict[str, dict[str, set[str]]] = {}
    for sample in (sample for family in families for sample in family.samples):
        labels = found.setdefault(sample.name, {})
        for label, value in sample.labels.items():
            labels.setdefault(label, set()).add(value)
    return found


def test_the_contract_is_kept(exported):
    text = """images_total outcome, failures_total code, retries_total code, source_bytes_total, result_bytes_total,
        pixels_total, stage_seconds_bucket stage le, stage_seconds_sum stage, stage_seconds_count stage,
        image_seconds_bucket le, image_seconds_sum, image_seconds_count, queue_age_seconds_bucket queue le,
        queue_age_seconds_sum queue, queue_age_seconds_count queue, map_batch_size_bucket le, map_batch_size_sum,
        map_batch_size_count, map_batch_seconds_bucket le, map_batch_seconds_sum, map_batch_seconds_count,
        images_in_flight, threads, memory_used_bytes, memory_budget_bytes, last_progress_timestamp_seconds, broker_up,
        events_total answer, jobs_enqueued_total queue, queue_length queue, unacknowledged, put_aside,
        build_info version model"""
    named = {name: set(labels) for name, *labels in (entry.split() for entry in text.split(","))}
    ours = {name.removeprefix("semjpeg_"): set(v) for name, v in exported.items() if name.startswith("semjpeg_")}
    assert ours == named


def test_the_documentation_names_every_metric_and_its_labels(exported):
    rows = re.findall(r"^\| `([a-z_]+)(?:\{([a-z, ]+)\})?` \|", DOCUMENT, re.MULTILINE)
    told = {name: set(labels.split(", ")) - {""} for name, labels in rows}
    ours: dict[str, set[str]] = {}
    for name, labels in exported.items():
        if name.startswith("semjpeg_"):
            family = re.sub(r"_(bucket|sum|count)$", "", name.removeprefix("semjpeg_"))
            ours[family] = ours.get(family, set()) | set(labels) - {"le"}
    assert told == ours


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_every_metric_and_label_that_is_asked_for_is_exported(exported, place):
    text = re.sub(r"\$\w+", "", EXPRESSIONS[place])
    names = set(re.findall(NAME, text))
    recorded = set(re.findall(r"\bsemjpeg:[\w:]+", text))
    assert names | recorded or re.fullmatch(r"up\{.*\} == 0", text)
    assert names <= exported.keys()
    assert recorded <= RECORDED
    for name, matchers in re.findall(SELECTOR, text):
        for label, operator, value in re.findall(MATCHER, matchers):
            assert label in exported[name] or label in TARGET_LABELS, (name, label)
            if label not in TARGET_LABELS:
                assert set(value.split("|") if "~" in operator else [value]) <= exported[name][label]


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_what_is_grouped_by_is_a_label(exported, place):
    text = EXPRESSIONS[place]
    labels = {label for name in re.findall(NAME, text) for label in exported[name]} | TARGET_LABELS | {"queue"}
    assert set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", text)))) <= labels
    if "histogram_quantile" in text:
        assert all(name.endswith("_bucket") for name in re.findall(NAME, text))
        assert re.search(r"by \([^)]*\ble\)", text)


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_counters_are_looked_at_by_their_growth(place):
    text = EXPRESSIONS[place]
    grown = re.findall(rf"(?:rate|increase)\(({NAME})[^()]*\[", text)
    counters = [name for name in re.findall(NAME, text) if re.search(r"_(total|bucket|sum|count)$", name)]
    assert sorted(grown) == sorted(counters)


UNITS = {
    "s": r"(_seconds|_seconds_bucket)$",
    "Bps": r"_bytes_total$",
    "decbytes": r"_bytes$",
    "suffix: /s": r"_total$",
    "percentunit": r"_total$",
    "short": r"(?<!_bytes)$",
}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_the_unit_of_a_panel_is_that_of_its_metrics(panel):
    unit = panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        names = re.findall(NAME, target["expr"])
        assert all(re.search(UNITS[unit], name) for name in names), names
        assert (unit == "percentunit") == bool(re.search(r"(_bytes_total|images_total)\{.*\) / sum\(", target["expr"]))
        assert "rate(" in target["expr"] or unit not in {"Bps", "suffix: /s"}


def test_the_dashboard_is_laid_out_without_gaps_or_overlaps():
    assert DASHBOARD["schemaVersion"] >= 39
    numbers = Counter(panel["id"] for panel in DASHBOARD["panels"])
    titles = Counter(panel["title"] for panel in DASHBOARD["panels"])
    assert numbers.most_common(1)[0][1] == titles.most_common(1)[0][1] == 1
    cells = Counter(
        (x, y)
        for grid in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    )
    height = max(y for _, y in cells) + 1
    assert cells == Counter({(x, y): 1 for x in range(24) for y in range(height)})


def test_every_panel_explains_itself_and_obeys_the_variables():
    names = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert names == {"datasource", "job", "instance"}
    for panel in PANELS:
        assert panel["description"].endswith(".")
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            selectors = re.findall(SELECTOR, target["expr"])
            assert len(selectors) == len(re.findall(NAME, target["expr"]))
            assert all('job=~"$job", instance=~"$instance"' in matchers for _, matchers in selectors)
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= names | {"__rate_interval"}


def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not():
    cases = [(case["alertname"], bool(case["exp_alerts"])) for test in CASES for case in test["alert_rule_test"]]
    assert set(cases) == {(alert, fires) for alert in ALERTS for fires in (True, False)}


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_what_to_do(alert):
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["runbook"] == f"docs/monitoring.md#{alert.lower()}"
    assert f"### {alert}\n" in DOCUMENT
    assert rule["annotations"]["summary"]


def test_the_documentation_names_no_alert_that_is_not_there():
    assert re.findall(r"^### (Semjpeg\w+)$", DOCUMENT, re.MULTILINE) == list(ALERTS)


def test_what_is_scraped_is_what_compose_starts():
    configuration = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    found = [entry for scrape in configuration["scrape_configs"] for entry in scrape["dns_sd_configs"]]
    assert {name for entry in found for name in entry["names"]} <= COMPOSE["services"].keys()
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    assert {str(entry["port"]) for entry in found} == set(re.findall(r"SEMJPEG_PROMETHEUS__PORT=(\d+)", dockerfile))
    assert all(re.match(scrape["job_name"][:8], "semjpeg-") for scrape in configuration["scrape_configs"])


def test_compose_gives_prometheus_and_grafana_our_files():
    mounts = {
        name: {inside: ROOT / ours for ours, inside, _ in (v.split(":") for v in service["volumes"] if v[0] == ".")}
        for name, service in COMPOSE["services"].items()
        if service.get("profiles") == ["monitoring"]
    }
    configuration = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    assert configuration["rule_files"] == ["/etc/prometheus/rules/*.yml"]
    assert mounts == {
        "prometheus": {
            "/etc/prometheus/prometheus.yml": MONITORING / "prometheus.yml",
            "/etc/prometheus/rules": MONITORING / "rules",
        },
        "grafana": {
            "/etc/grafana/provisioning": MONITORING / "grafana/provisioning",
            "/etc/semjpeg/dashboards": MONITORING / "grafana/dashboards",
        },
    }
    home = COMPOSE["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == "/etc/semjpeg/dashboards/semjpeg.json"
    assert "--config.file=/etc/prometheus/prometheus.yml" in COMPOSE["services"]["prometheus"]["command"]


def test_grafana_finds_its_data_and_its_dashboards():
    provisioning = MONITORING / "grafana/provisioning"
    [source] = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    [provider] = yaml.safe_load((provisioning / "dashboards/semjpeg.yml").read_text())["providers"]
    assert (provider["type"], provider["options"]["path"]) == ("file", "/etc/semjpeg/dashboards")

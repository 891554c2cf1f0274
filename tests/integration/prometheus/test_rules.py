"""Prometheus' own tool reads our configuration, rules and queries, and plays the alerts' cases."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "deploy/monitoring"


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run(
        ["promtool", *arguments],  # noqa: S607 - wherever it is installed
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_understands_configuration_and_rules():
    promtool("check", "config", "--syntax-only", MONITORING / "prometheus.yml")
    found = promtool("check", "rules", *sorted((MONITORING / "rules").glob("*.yml")))
    assert found.count("SUCCESS") == 2


def test_prometheus_understands_every_query_of_the_dashboard(tmp_path):
    dashboard = json.loads((MONITORING / "grafana/dashboards/semjpeg.json").read_text())
    targets = [target for panel in dashboard["panels"] for target in panel.get("targets", ())]
    queries = [target["expr"].replace("$__rate_interval", "1m") for target in targets]
    assert len(queries) > 30
    rules = [{"record": f"panel:query{number}", "expr": expr} for number, expr in enumerate(queries)]
    path = tmp_path / "dashboard.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", path)


def test_alerts_fire_when_they_should_and_only_then():
    assert "SUCCESS" in promtool("test", "rules", MONITORING / "alerts.test.yml")

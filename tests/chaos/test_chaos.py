"""The chaos run, short enough for every change: `make chaos-short`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

OBJECTS, SEED = 120, 6
RUN = Path(__file__).with_name("run.py")


@pytest.mark.timeout(1200)
def test_every_newest_version_has_its_one_right_result():
    options = ("--objects", str(OBJECTS), "--minutes", "1.2", "--seed", str(SEED), "--json")
    ran = subprocess.run([sys.executable, str(RUN), *options], stdout=subprocess.PIPE, text=True, check=False)
    outcome = json.loads(ran.stdout)
    assert outcome["violations"] == []
    assert ran.returncode == 0
    assert outcome["found"]["right results"] + outcome["found"]["right failures"] == OBJECTS
    assert outcome["done"]["worker SIGKILL"] > 0
    assert outcome["done"]["overwrites"] > 0

"""The Grafana dashboard as a picture: its queries, answered by a real Prometheus that scrapes a running system.

    python benchmarks/dashboard_picture.py [--minutes 4] [--out docs/images/dashboard.png]

Starts a broker, an S3 server, a worker and an event poller, uploads photographs that scikit-image carries, now more and
now fewer of them and some damaged, and draws what Prometheus answers to each panel's queries, in the dashboard's
order. Prometheus must be installed (Debian: apt-get install prometheus).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import re
import socket
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import yaml

from config.errors import SemjpegError
from semjpeg.demo.photos import find_photos
from semjpeg.demo.processes import Processes
from semjpeg.demo.system import clean_environment, start_system

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.axes import Axes

    from semjpeg.demo.system import System

    _Curve = tuple[str, list[tuple[float, float]]]

ROOT: Final = Path(__file__).parents[1]
MONITORING: Final = ROOT / "deploy/monitoring"
DASHBOARD: Final = MONITORING / "grafana/dashboards/semjpeg.json"

_PROMETHEUS: Final = "/usr/bin/prometheus"
_START_S: Final = 120.0
_WINDOW: Final = "20s"
"""What Grafana calls the rate interval: some scrapes long."""
_POINTS: Final = 120
_ROOM_FOR_NAMES: Final = 1.3
_COLUMNS: Final = 24
_WIDTH_IN: Final = 16.0
_ROW_IN: Final = 0.34
_MARGINS_IN: Final = (0.6, 0.15, 0.3, 0.3)
"""Left, right, top, bottom of a panel's axes."""
_DPI: Final = 80
_UNITS: Final = {"s": "s", "Bps": "MB/s", "decbytes": "MB", "suffix: /s": "/s", "percentunit": "%", "short": ""}
_SCALES: Final = {"Bps": 1e-6, "decbytes": 1e-6, "percentunit": 100.0}


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    port: int

    def get(self, path: str, **parameters: object) -> Any:
        """Return the data of an answer.

        Raises:
            SemjpegError: The question is refused.
        """
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("GET", f"{path}?{urlencode(parameters)}")
            answer = json.loads(connection.getresponse().read())
        if answer["status"] != "success":
            raise SemjpegError(f"{parameters}: {answer['error']}")
        return answer["data"]

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self.get("/api/v1/status/buildinfo"))
        except (OSError, ValueError, http.client.HTTPException):
            return False


def start_prometheus(processes: Processes, folder: Path, targets: dict[str, list[str]]) -> Prometheus:
    """Start Prometheus with our configuration and rules, once a second, for targets on this machine.

    Args:
        processes: Where the child is kept.
        folder: For its configuration and its data.
        targets: `host:port` by the name of the configuration's job.

    Raises:
        SemjpegError: It ended, or does not answer.
    """
    configuration = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(MONITORING / "rules/*.yml")]
    for scrape in configuration["scrape_configs"]:
        del scrape["dns_sd_configs"]
        scrape["static_configs"] = [{"targets": targets[scrape["job_name"]]}]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(configuration))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        prometheus = Prometheus(free.getsockname()[1])
    processes.start(
        "prometheus",
        _PROMETHEUS,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{prometheus.port}",
    )
    wait_for(prometheus.ready, processes, "Prometheus")
    return prometheus


def metrics_address(log: Path, processes: Processes) -> str:
    """Return the `host:port` at which a process serves its metrics, as its log tells."""

    def told() -> list[str]:
        return re.findall(r'"port": (\d+).*"event": "metrics"', log.read_text())

    wait_for(lambda: bool(told()), processes, f"the metrics of {log.stem}")
    return f"127.0.0.1:{told()[0]}"


def wait_for(ready: Callable[[], bool], processes: Processes, what: str) -> None:
    """Wait until something is there.

    Raises:
        SemjpegError: A process ended, or two minutes have passed.
    """
    until = time.monotonic() + _START_S
    while not ready():
        processes.check()
        if time.monotonic() > until:
            raise SemjpegError(f"{what}: nothing after {_START_S:g} s")
        time.sleep(0.1)


def panels() -> list[dict[str, Any]]:
    """Return the dashboard's panels, titles of rows among them."""
    return list(json.loads(DASHBOARD.read_text())["panels"])


def expression(text: str) -> str:
    """Put values in the place of Grafana's variables."""
    for variable, value in (("$__rate_interval", _WINDOW), ("$job", ".*"), ("$instance", ".*")):
        text = text.replace(variable, value)
    return text


def draw(prometheus: Prometheus, begin_s: float, end_s: float, out: Path) -> None:
    """Draw every panel where the dashboard has it.

    Args:
        prometheus: Answers the queries.
        begin_s: Of what is drawn, in seconds since 1970.
        end_s: And its end.
        out: The PNG file.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update({"font.size": 8, "axes.titlesize": 9, "axes.spines.top": False, "axes.spines.right": False})
    colours = mpl.colormaps["tab20"].colors
    mpl.rcParams["axes.prop_cycle"] = mpl.cycler(color=[*colours[::2], *colours[1::2]])
    everything = panels()
    height_in = _ROW_IN * max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in everything)
    figure = Figure(figsize=(_WIDTH_IN, height_in), dpi=_DPI, facecolor="white")
    for panel in everything:
        axes = figure.add_axes(_place(panel["gridPos"], height_in))
        if panel["type"] == "row":
            axes.axis("off")
            axes.text(0, 0, panel["title"], fontsize=12, fontweight="bold", transform=axes.transAxes)
            continue
        axes.set_title(panel["title"], loc="left")
        axes.set_xlim(0, end_s - begin_s)
        _PAINTERS[panel["type"]](axes, panel, list(_answers(prometheus, panel, begin_s, end_s)))
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out)


def _place(at: dict[str, int], height_in: float) -> tuple[float, float, float, float]:
    """Return left, bottom, width and height of a panel's axes as shares of the figure."""
    column_in = _WIDTH_IN / _COLUMNS
    left, right, top, bottom = _MARGINS_IN if at["h"] > 1 else (0.1, 0.1, 0.1, 0.1)
    width, height = at["w"] * column_in - left - right, at["h"] * _ROW_IN - top - bottom
    begin, end = at["x"] * column_in + left, height_in - (at["y"] + at["h"]) * _ROW_IN + bottom
    return begin / _WIDTH_IN, end / height_in, width / _WIDTH_IN, height / height_in


def _answers(prometheus: Prometheus, panel: dict[str, Any], begin_s: float, end_s: float) -> Iterator[_Curve]:
    """Yield the name of each curve and its points: seconds since the beginning, and value."""
    for target in panel["targets"]:
        span = {"start": begin_s, "end": end_s, "step": (end_s - begin_s) / _POINTS}
        answer = prometheus.get("/api/v1/query_range", query=expression(target["expr"]), **span)
        for series in answer["result"]:
            name = target["legendFormat"]
            for label, value in series["metric"].items():
                name = name.replace(f"{{{{{label}}}}}", value)
            yield name, [(float(at) - begin_s, float(value)) for at, value in series["values"]]


def _paint_lines(axes: Axes, panel: dict[str, Any], answers: Sequence[_Curve]) -> None:
    import numpy as np

    defaults = panel["fieldConfig"]["defaults"]
    scale = _SCALES.get(defaults["unit"], 1.0)
    curves = {name: {at: value * scale for at, value in points} for name, points in answers}
    moments = sorted({at for points in curves.values() for at in points})
    if not curves:
        return
    if "stacking" in defaults["custom"]:
        axes.stackplot(moments, [[c.get(at, 0.0) for at in moments] for c in curves.values()], labels=list(curves))
    else:
        for name, points in curves.items():
            axes.plot(moments, [points.get(at, np.nan) for at in moments], label=name, linewidth=1.2)
    axes.set_ylim(0, axes.get_ylim()[1] * _ROOM_FOR_NAMES or 1.0)
    axes.set_ylabel(_UNITS[defaults["unit"]])
    axes.legend(fontsize=6, ncols=3, loc="upper left", frameon=False)


def _paint_number(axes: Axes, panel: dict[str, Any], answers: Sequence[_Curve]) -> None:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    value = answers[0][1][-1][1] * _SCALES.get(unit, 1.0) if answers else float("nan")
    axes.axis("off")
    axes.text(0.5, 0.4, f"{value:.3g} {_UNITS[unit]}", fontsize=20, ha="center", va="center", transform=axes.transAxes)


def _paint_heat(axes: Axes, panel: dict[str, Any], answers: Sequence[_Curve]) -> None:
    """Colour each bucket of a histogram by what fell into it; the answers count all that is below, too."""
    import numpy as np

    below = sorted((float(name), dict(points)) for name, points in answers if name != "+Inf")
    if not below:
        return
    moments = sorted({at for _, points in below for at in points})
    counts = np.diff([[points.get(at, 0.0) for at in moments] for _, points in below], axis=0, prepend=0.0)
    edges = [below[0][0] / 2, *(edge for edge, _ in below)]
    step = moments[1] - moments[0] if len(moments) > 1 else 1.0
    axes.pcolormesh([*moments, moments[-1] + step], edges, counts, cmap="Oranges", shading="flat")
    axes.set_yscale("log")
    axes.set_ylabel(_UNITS[panel["fieldConfig"]["defaults"]["unit"]])


_PAINTERS: Final = {"timeseries": _paint_lines, "stat": _paint_number, "heatmap": _paint_heat}


def _play(system: System, processes: Processes, minutes: float) -> None:
    """Upload photographs for some minutes: in three waves, with damaged files and files that are there already."""
    photos = {key: path.read_bytes() for key, path in find_photos(None)[0].items()}
    chosen = random.Random(1)  # noqa: S311 - the same workload each time
    begin, number = time.monotonic(), 0
    while (now := time.monotonic() - begin) < minutes * 60:
        processes.check()
        busy = int(now / (minutes * 60) * 6) % 2 == 0
        key, body = chosen.choice(sorted(photos.items()))
        if number % 23 == 0:
            body = chosen.choice((body[: len(body) // 2], b"no picture at all"))
        name = f"{number}/{key}" if number % 11 else f"again/{key}"
        system.source.put(name, body, content_type="application/octet-stream")
        number += 1
        time.sleep(0.15 if busy else 0.8)


def main() -> None:
    """Run the system and draw."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images/dashboard.png")
    options = parser.parse_args()
    environment = clean_environment(dict(os.environ))
    os.environ.update(environment)
    with (
        tempfile.TemporaryDirectory(prefix="semjpeg-dashboard-") as name,
        Processes(Path(name), {**environment, "SEMJPEG_PROMETHEUS__PORT": "0"}) as processes,
    ):
        folder = Path(name)
        system = start_system(processes, folder, quality=75)
        targets = {
            "semjpeg-worker": [metrics_address(folder / "worker.log", processes)],
            "semjpeg-producer": [metrics_address(folder / "poller.log", processes)],
        }
        prometheus = start_prometheus(processes, folder, targets)
        begin_s = time.time()
        _play(system, processes, options.minutes)
        draw(prometheus, begin_s, time.time(), options.out)
    print(f"{options.out}: {options.minutes:g} minutes")


if __name__ == "__main__":
    main()

"""The chaos run: what becomes of a thousand pictures while everything breaks. See docs/chaos.md.

`python tests/chaos/run.py --objects 1000 --minutes 6 --seed 1` leaves with 1 and a list where a promise was broken.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click
from events import EventFilter
from mayhem import Mayhem
from rich.console import Console
from rich.table import Table
from system import OUTPUT_URL, SOURCE_URL, System
from verdict import Verdict, judge, undone
from world import Write, newest, plan

_FAULT_SHARE = 0.1
_DRAIN_S = 1200.0
_LOOK_S = 0.5
_QUIET_LOOKS = 6
"""A queue is empty when it was seen so several times in a row: a job may be on its way from one key to another."""

_console = Console(stderr=True)


@click.command()
@click.option("--objects", default=1000, show_default=True, help="How many keys.")
@click.option("--minutes", default=6.0, show_default=True, help="How long the mayhem lasts.")
@click.option("--seed", default=1, show_default=True, help="Of all that is drawn.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.option("--keep", is_flag=True, help="Keep the folder of logs of a good run, too.")
def main(objects: int, minutes: float, seed: int, *, as_json: bool, keep: bool) -> None:
    """Run a system through mayhem and judge what is left."""
    folder = Path(tempfile.mkdtemp(prefix="semjpeg-chaos-"))
    writes = plan(objects, seed)
    _say(f"seed {seed}, {len(writes)} uploads of {objects} objects, logs in {folder}")
    seconds: dict[str, float] = {}
    with System(folder, fault_share=_FAULT_SHARE, seed=seed) as system:
        done, healed, forgotten = _go_through(system, writes, minutes * 60, seed, seconds)
        verdict = _timed(seconds, "judging", judge, system, newest(writes))
    verdict.found["healed by the reconcile"] = healed
    verdict.violations += [f"{key!r}: its notification arrived, and yet only the reconcile did it" for key in forgotten]
    outcome = _outcome(objects, seed, done, verdict, seconds)
    _print(outcome)
    if as_json:
        click.echo(json.dumps(outcome, indent=2, ensure_ascii=False))
    (folder / "outcome.json").write_text(json.dumps(outcome, indent=2, ensure_ascii=False))
    if verdict.violations or keep:
        _say(f"the logs are in {folder}")
    else:
        shutil.rmtree(folder)
    raise SystemExit(1 if verdict.violations else 0)


def _go_through(
    system: System, writes: list[Write], duration_s: float, seed: int, seconds: dict[str, float]
) -> tuple[dict[str, int], int, list[str]]:
    """Mayhem, calm, reconcile.

    Returns:
        What was done to the system; how many objects the reconcile had to heal; and the keys of those of them that
        nothing excuses, neither a lost notification nor the broker's loss of everything.
    """
    events = EventFilter(system.sqs, system.created_url, system.events_url, seed)
    try:
        system.start_all()
        mayhem = Mayhem(system, seed, _say)
        _timed(seconds, "mayhem", mayhem.run, writes, duration_s)
        hurt = _injuries(system, events, writes)
        system.proxy.share = 0.0
        events.calm = True
        _timed(seconds, "draining", _drain, system, events)
        left = undone(system, newest(writes))
        forgotten = [v.key for v in left if mayhem.outlived(v.key) and v.etag not in events.lost]
        _timed(seconds, "reconciling", _reconcile, system)
        _timed(seconds, "draining again", _drain, system, events)
    finally:
        events.close()
    return hurt, len(left), forgotten


def _injuries(system: System, events: EventFilter, writes: list[Write]) -> dict[str, int]:
    faults = {f"requests: {name}": count for name, count in sorted(system.proxy.faults.items())}
    return {
        "uploads": len(writes),
        "overwrites": sum(write.version.number > 0 for write in writes),
        **{f"notifications {name}": count for name, count in sorted(events.counts.items())},
        "requests to the store": system.proxy.requests,
        **faults,
        **dict(sorted(system.done.items())),
    }


def _drain(system: System, events: EventFilter) -> None:
    """Wait until nothing is under way; should that not come to pass, the verdict names what is left."""
    until = time.monotonic() + _DRAIN_S
    quiet, said = 0, Counter()
    while quiet < _QUIET_LOOKS and time.monotonic() < until:
        time.sleep(_LOOK_S)
        system.revive()
        pending = system.pending()
        quiet = 0 if any(pending.values()) or not events.empty else quiet + 1
        if said["looks"] % 40 == 0:
            _say(f"waiting: {pending}")
        said["looks"] += 1


def _reconcile(system: System) -> None:
    """Find what is missing or stale, and queue it."""
    ran = system.command("reconcile", SOURCE_URL, OUTPUT_URL, "--run", "chaos-reconcile")
    if "No such command" in ran.stderr:
        ran = system.command("enqueue", SOURCE_URL, OUTPUT_URL, "--run", "chaos-reconcile")
    _say(ran.stdout.strip()[-400:])
    if ran.returncode:
        raise SystemExit(f"the reconcile left with {ran.returncode}: {ran.stderr[-2000:]}")


def _timed(seconds: dict[str, float], name: str, work: Any, *arguments: Any) -> Any:
    began = time.monotonic()
    try:
        return work(*arguments)
    finally:
        seconds[name] = round(time.monotonic() - began, 1)


def _outcome(
    objects: int, seed: int, done: dict[str, int], verdict: Verdict, seconds: dict[str, float]
) -> dict[str, Any]:
    return {
        "objects": objects,
        "seed": seed,
        "done": done,
        "found": dict(sorted(verdict.found.items())),
        "least_psnr_db": round(verdict.least_psnr_db, 2),
        "seconds": seconds,
        "violations": verdict.violations,
    }


def _print(outcome: dict[str, Any]) -> None:
    table = Table(title=f"{outcome['objects']} objects, seed {outcome['seed']}", box=None, header_style="bold")
    table.add_column("what was done")
    table.add_column("", justify="right")
    table.add_column("what was found")
    table.add_column("", justify="right")
    found = {
        **outcome["found"],
        "least PSNR, dB": outcome["least_psnr_db"],
        **{f"seconds of {name}": value for name, value in outcome["seconds"].items()},
        "violations": len(outcome["violations"]),
    }
    left, right = list(outcome["done"].items()), list(found.items())
    for row in range(max(len(left), len(right))):
        cells = [*(left[row] if row < len(left) else ("", "")), *(right[row] if row < len(right) else ("", ""))]
        table.add_row(*(f"{cell:,}" if isinstance(cell, int | float) else cell for cell in cells))
    _console.print(table)
    for violation in outcome["violations"]:
        _console.print(f"violated: {violation}", markup=False, style="red", soft_wrap=True)


def _say(text: str) -> None:
    _console.print(text, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()

"""Nasty pictures: files that broke decoders through a real worker, and good files cut and changed by chance.

`python tests/chaos/nasty.py --data FOLDER` leaves with 1 and a list of what went wrong. Without a folder only the
generated files are tried.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click
from mutations import FORMATS, good_files, mutation, truncations
from nasty_worker import Outcome, put_through
from rich.console import Console
from rich.table import Table

_CUTS = 200
_console = Console(stderr=True)


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of nasty files.")
@click.option("--mutations", default=10_000, show_default=True, help="How many changed files.")
@click.option("--seed", default=1, show_default=True, help="Number of the first mutation.")
@click.option("--memory-mb", default=1500, show_default=True, help="The worker's budget for pictures, MB.")
def main(data: Path | None, mutations: int, seed: int, memory_mb: int) -> None:
    """Try all of them and judge."""
    folder = Path(tempfile.mkdtemp(prefix="semjpeg-nasty-"))
    findings: list[str] = []
    if data is not None:
        outcome = put_through(sorted(path for path in data.iterdir() if path.suffix != ".tsv"), folder, memory_mb)
        _show_worker(outcome)
        findings += outcome.findings
    files = good_files()
    cut = {f"{name} cut at {at}": d for name in FORMATS for at, d in truncations(files[name], _CUTS)}
    findings += _try(cut, f"truncations at {_CUTS} offsets", folder)
    changed = {}
    for number in range(seed, seed + mutations):
        name, changed_file = mutation(files, number)
        changed[f"mutation {number} of {name}"] = changed_file
    findings += _try(changed, f"mutations from seed {seed}", folder)
    for finding in findings:
        _console.print(f"found: {finding}", markup=False, style="red", soft_wrap=True)
    if findings:
        _console.print(f"logs and files are in {folder}")
    raise SystemExit(1 if findings else 0)


def _try(cases: dict[str, bytes], title: str, folder: Path) -> list[str]:
    """Put files through the steps in a child; one that dies or hangs is started anew behind the file that did it."""
    inputs = folder / "inputs"
    inputs.mkdir(exist_ok=True)
    names = list(cases)
    for number, name in enumerate(names):
        (inputs / str(number)).write_bytes(cases[name])
    codes: Counter[str] = Counter()
    findings: list[str] = []
    at = 0
    while at < len(names):
        lines, died = _run_child(folder, at, len(names))
        for number, line in enumerate(lines, start=at):
            kind, _, text = line.partition("\t")
            codes[kind] += 1
            if kind == "defect":
                findings.append(f"{names[number]}: {text}; {_kept(folder, names[number], cases[names[number]])}")
        at += len(lines)
        if died is not None and at < len(names):
            codes[died] += 1
            findings.append(f"{names[at]}: the process {died}; {_kept(folder, names[at], cases[names[at]])}")
            at += 1
    _show_codes(f"{title}: {len(names):,} files", codes)
    return findings


def _run_child(folder: Path, first: int, end: int) -> tuple[list[str], str | None]:
    """Let a child try the files from `first` on; return its lines, and how it ended should that be before `end`."""
    command = [sys.executable, str(Path(__file__).with_name("trial.py")), str(folder / "inputs"), str(first), str(end)]
    with (
        (folder / "trial.log").open("a") as log,  # the decoders' libraries talk much
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as child,
    ):
        lines = list(child.stdout)
    if child.returncode == 0:
        return lines, None
    return lines, f"ended with {child.returncode}"


def _kept(folder: Path, name: str, data: bytes) -> str:
    path = folder / f"{name.replace(' ', '-')}.bin"
    path.write_bytes(data)
    return f"saved as {path}"


def _show_worker(outcome: Outcome) -> None:
    _show_codes(f"{sum(outcome.codes.values())} nasty files through a worker", outcome.codes)
    _console.print(
        f"longest {outcome.longest_s:.1f} s, all in {outcome.all_s:.0f} s; peak memory {outcome.peak_mb:.0f} MB, "
        f"{outcome.idle_mb:.0f} MB before the first file"
    )


def _show_codes(title: str, codes: Counter[str]) -> None:
    _console.print(title, style="bold", highlight=False)
    table = Table("ended as", "files", box=None, show_header=False)
    for code, count in codes.most_common():
        table.add_row(code, f"{count:,}")
    _console.print(table)


if __name__ == "__main__":
    main()

"""`semjpeg doctor`."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING

import click
from rich.console import Console

from config.logs import configure_logging
from config.recipes import Route
from semjpeg.doctor.checks import checks_for
from semjpeg.doctor.context import Context
from semjpeg.doctor.finding import Status
from semjpeg.doctor.runner import examine
from semjpeg.doctor.show import document, lines, summary, table, worst

if TYPE_CHECKING:
    from collections.abc import Iterator

    from semjpeg.doctor.context import Role
    from semjpeg.doctor.finding import Finding


@click.command(name="doctor")
@click.argument("source", metavar="[SRC", required=False)
@click.argument("output", metavar="DST]", required=False)
@click.option(
    "--for",
    "role",
    type=click.Choice(["worker", "producer"]),
    help="What this machine is for; default: everything, and a worker's network where TensorFlow is installed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(source: str | None, output: str | None, role: Role | None, *, as_json: bool) -> None:
    """Check settings, machine, broker, buckets, network and GPU, and say how to mend what is not in order.

    What may be done in buckets is tried out, in those of the settings' routes or in SRC and DST; nothing is left
    behind. The exit code is 1 if a check has failed; warnings do not count.
    """
    if source and not output:
        raise click.UsageError("give SRC and DST, or neither")
    configure_logging(logging.CRITICAL)  # what a library complains about is found by a check, too
    pair = Route(source=source, output=output) if source and output else None
    context = Context.make(role, pair)
    found = examine(checks_for(context), context)
    console = Console(highlight=False)
    if as_json:
        findings = list(found)
        click.echo(json.dumps(document(findings), ensure_ascii=False, indent=2))
    elif console.is_terminal:
        with console.status("looking …"):
            findings = list(found)
        console.print(table(findings))
        console.print(summary(findings))
    else:
        findings = list(_told(found))
        click.echo(summary(findings))
    sys.exit(1 if worst(findings) is Status.FAILED else 0)


def _told(found: Iterator[Finding]) -> Iterator[Finding]:
    for finding in found:
        click.echo(lines(finding))
        yield finding

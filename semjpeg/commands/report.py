"""`semjpeg report TARGET`."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from config.errors import ObjectMissingError
from semjpeg.report.page import LIST_CURRENCY, LIST_PRICE, write_page

if TYPE_CHECKING:
    from semjpeg.report.outputs import Output
    from semjpeg.report.sources import Source
    from semjpeg.report.summary import Summary

_LINE_EVERY = 100_000
_NAMED_RUNS = 5


@click.command(name="report")
@click.argument("target", metavar="RUN|PLACE|DIR|FILE.parquet")
@click.option(
    "-o",
    "--out",
    default="report.html",
    show_default=True,
    help="A file, a folder or s3://bucket/key for the page.",
)
@click.option("--parquet", help="A file, a folder or s3://bucket/key for a table with a row for each image.")
@click.option("--run", help="Only what this run has done.")
@click.option(
    "--price",
    type=click.FloatRange(min=0),
    default=LIST_PRICE,
    show_default=True,
    help="Of a GB of storage for a month. Default: the list price of S3 Standard in us-east-1, first tier, in USD.",
)
@click.option("--currency", default=LIST_CURRENCY, show_default=True, help="Of the price, as the page shows it.")
@click.option(
    "--gallery",
    type=click.IntRange(min=0),
    default=24,
    show_default=True,
    help="At most so many pictures to compare; fewer where the page would exceed 5 MB. 0: none is fetched.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as a JSON object.")
def command(
    target: str,
    *,
    out: str,
    parquet: str | None,
    run: str | None,
    price: float,
    currency: str,
    gallery: int,
    as_json: bool,
) -> None:
    """Show what a run was worth: one page that opens anywhere, without a network.

    It adds up the records beside the results: of the run named RUN, of an output PLACE (s3://bucket/prefix or
    file:///folder), of a folder DIR on this machine, or of a table that --parquet wrote earlier.
    """
    from semjpeg.report import figures
    from semjpeg.report.outputs import output_of
    from semjpeg.report.sources import find_source

    page = output_of(out, "report.html")
    table = output_of(parquet, "report.parquet") if parquet else None
    source = find_source(target, run)
    summary = _add_up(source, gallery, table)
    buckets = source.buckets_of(summary.sample) if gallery else None
    html = write_page(summary, buckets, price=price, currency=currency, gallery=gallery)
    page.write(html, "text/html; charset=utf-8")
    _warn(summary)
    if as_json:
        click.echo(json.dumps({**figures.as_json(summary), "page": str(page), "table": str(table) if table else None}))
        return
    for line in (*figures.lines(summary), f"look at {page}", *([f"the table is {table}"] if table else [])):
        click.echo(_printable(line))


def _add_up(source: Source, sample: int, table: Output | None) -> Summary:
    """Read all rows once, for the summary and for the table."""
    from semjpeg.progress import counting
    from semjpeg.report.collecting import Collector
    from semjpeg.report.keeping import Tally
    from semjpeg.report.parquet import writing
    from semjpeg.report.reading import Unreadable

    collector = Collector(sample)
    other_runs = Tally[str](_NAMED_RUNS)
    with ExitStack() as stack:
        writer = stack.enter_context(writing(table)) if table else None
        tell = stack.enter_context(counting("reading", "records", _LINE_EVERY))
        for item in source.items():
            tell()
            if isinstance(item, Unreadable):
                collector.add_unreadable(item)
            elif source.run is not None and item.run != source.run:
                other_runs.add(item.run)
            else:
                collector.add(item)
                if writer is not None:
                    writer.add(item)
        summary = collector.summary(source.title)
        _refuse_nothing(summary, source, other_runs.largest(_NAMED_RUNS))
        if writer is not None:
            writer.finish(summary)
    return summary


def _refuse_nothing(summary: Summary, source: Source, other_runs: list[tuple[str, int]]) -> None:
    """See that there is something to report."""
    if summary.done or summary.failed or summary.unreadable_count:
        return
    if other_runs:
        names = ", ".join(f"{name} ({count:,})" for name, count in other_runs)
        raise ObjectMissingError(f"{source.title}: no record is of this run; there are those of {names}")
    raise ObjectMissingError(f"{source.title}: there are no records yet")


def _warn(summary: Summary) -> None:
    """Name records that could not be read."""
    if not summary.unreadable_count:
        return
    records = "record" if summary.unreadable_count == 1 else "records"
    click.echo(f"{summary.unreadable_count:,} {records} could not be read:", err=True)
    for key, reason in summary.unreadable:
        click.echo(_printable(f"  {key}: {reason}"), err=True)
    if summary.unreadable_count > len(summary.unreadable):
        click.echo("  …", err=True)


def _printable(text: str) -> str:
    """Show odd bytes of names as escapes: a terminal takes no lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()

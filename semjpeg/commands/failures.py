"""`semjpeg failures list|retry`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from config.errors import PermanentError, RetryableError
from semjpeg.report.reading import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from semjpeg.failures import Failure

_UNREADABLE = 1

_target = click.argument("target", metavar="PLACE|RUN")
_codes = click.option("--code", "codes", multiple=True, help="Only failures with this code; may be given again.")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(name="failures")
def command() -> None:
    """Look at what has failed, and try it again.

    PLACE is an output place (s3://bucket/prefix or file:///folder), RUN the name of a run that the broker knows.
    """


@command.command(name="list")
@_target
@_codes
@_json
def list_(target: str, codes: tuple[str, ...], *, as_json: bool) -> None:
    """List the failed images of an output place or a run, with code, reason and attempts."""
    _go_through(target, codes, "failures", lambda _: None, as_json=as_json)


@command.command(name="retry")
@_target
@_codes
@_json
def retry(target: str, codes: tuple[str, ...], *, as_json: bool) -> None:
    """Queue the failed images again. The record of a failure goes away when the image succeeds."""
    from semjpeg.failures import Retrying

    _go_through(target, codes, "queued", Retrying().retry, as_json=as_json)


def _go_through(
    target: str, codes: tuple[str, ...], name: str, treat: Callable[[Failure], None], *, as_json: bool
) -> None:
    """Treat all failures and print them; records that cannot be read or treated are named, and the rest goes on."""
    from semjpeg.failures import find_failures

    treated: list[dict[str, Any]] = []
    refused: list[dict[str, str]] = []
    for item in find_failures(target, codes):
        if isinstance(item, Unreadable):
            refused.append({"record": item.key, "reason": item.reason})
            continue
        try:
            treat(item)
        except RetryableError:
            raise
        except PermanentError as error:
            refused.append({"record": item.record, "reason": str(error)})
            continue
        treated.append(_fields(item))
        if not as_json:
            row = item.row
            _print(f"{row.key}: {row.code}: {row.reason} (attempts: {row.attempts}, run {row.run})")
    if as_json:
        _print(json.dumps({name: treated, "unreadable": refused}))
    else:
        for entry in refused:
            _print(f"{entry['record']}: {entry['reason']}", err=True)
        _print(f"{len(treated)} {name}, {len(refused)} records that could not be read", err=True)
    if refused:
        sys.exit(_UNREADABLE)


def _fields(failure: Failure) -> dict[str, Any]:
    row = failure.row
    return {
        "key": row.key,
        "code": row.code,
        "reason": row.reason,
        "attempts": row.attempts,
        "run": row.run,
        "etag": row.etag,
        "finished": row.finished.isoformat(),
        "record": failure.record,
    }


def _print(text: str, *, err: bool = False) -> None:
    """Show odd bytes of names as escapes: a terminal takes no lone surrogates."""
    click.echo(text.encode("utf-8", "backslashreplace").decode(), err=err)

"""Makes the checks, one after the other; whatever one of them does, the others go on."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from semjpeg.doctor.finding import BrokenOffError, Finding
from semjpeg.status.words import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from semjpeg.doctor.context import Context

LIMIT_S: Final = 10.0
"""For one check."""
_LAST_WAIT_S: Final = 10.0
"""For checks that were given up while they wrote: they may still be removing it."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: What it looks at.
        look: Yields what it finds.
        needs: Name of a check that must have come to its end, or empty.
        limit_s: How long it may take.
        writes: Whether it writes something that it removes in the end, so that it must be let come there.
    """

    name: str
    look: Callable[[Context], Iterator[Finding]]
    needs: str = ""
    limit_s: float = LIMIT_S
    writes: bool = False


def examine(checks: Iterable[Check], context: Context) -> Iterator[Finding]:
    """Make checks, and yield what they find as soon as each has ended, without secrets."""
    broken: set[str] = set()
    writing: list[threading.Thread] = []
    try:
        for check in checks:
            if check.needs in broken:
                mend = f"Mend {check.needs!r} first, and look again."
                found, whole = [Finding.warning("all of it", "was not looked at", mend)], False
            else:
                found, whole = _isolated(check, context, writing)
            if not whole:
                broken.add(check.name)
            for finding in found:
                yield _shown(finding, check, context)
    finally:
        for thread in writing:
            thread.join(_LAST_WAIT_S)


def _isolated(check: Check, context: Context, writing: list[threading.Thread]) -> tuple[list[Finding], bool]:
    """Make a check in a thread of its own. Returns what it found, and whether it came to its end."""
    found: list[Finding] = []
    whole = threading.Event()

    def work() -> None:
        try:
            for finding in check.look(context):
                found.append(finding)  # noqa: PERF402 - those of a check that hangs later count as well
            whole.set()
        except BrokenOffError as error:
            found.append(error.finding)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other checks go on
            reason = f"the check itself broke: {type(error).__name__}: {error}"
            found.append(Finding.failed("check", reason, f"See to what the message says of {check.name}."))

    thread = threading.Thread(target=work, name=f"check {check.name}", daemon=True)
    if check.writes:
        writing.append(thread)
    thread.start()
    thread.join(check.limit_s)
    if thread.is_alive():
        mend = f"See why {check.name} hangs: a firewall that drops packets, a server that is overloaded."
        return [*found, Finding.failed("check", f"came to no end within {check.limit_s:g} s", mend)], False
    return found, whole.is_set()


def _shown(finding: Finding, check: Check, context: Context) -> Finding:
    """Return a finding of a check without secrets, and without what would lead a terminal astray."""
    name, message, mend = (
        plain(context.secrets.hidden(text)) for text in (finding.name, finding.message, finding.mend)
    )
    return replace(finding, name=name, message=message, mend=mend, check=check.name)

"""How findings look: a table on a terminal, plain lines elsewhere, a document for machines."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from semjpeg.doctor.finding import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semjpeg.doctor.finding import Finding

_STYLES: Final = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "bold red"}
_STATUS_WIDTH: Final = max(map(len, Status))


def table(findings: Sequence[Finding]) -> Table:
    """Draw findings for a terminal."""
    drawn = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for _ in range(3):
        drawn.add_column()
    drawn.add_column(overflow="fold")
    last = ""
    for finding in findings:
        text = Text(finding.message)
        if finding.mend:
            text.append(f"\n→ {finding.mend}", style="cyan")
        check = Text("" if finding.check == last else finding.check, style="bold")
        drawn.add_row(Text(finding.status, style=_STYLES[finding.status]), check, Text(finding.name), text)
        last = finding.check
    return drawn


def lines(finding: Finding) -> str:
    """Tell a finding in a log: one line, and a second one where something is to be mended."""
    told = f"{finding.status:{_STATUS_WIDTH}} {finding.check}: {finding.name}: {finding.message}"
    return f"{told}\n{'':{_STATUS_WIDTH}} → {finding.mend}" if finding.mend else told


def summary(findings: Sequence[Finding]) -> str:
    """Tell how many there are of each status."""
    counts = Counter(finding.status for finding in findings)
    return ", ".join(f"{counts[status]} {status}" for status in Status)


def document(findings: Sequence[Finding]) -> dict[str, Any]:
    """Describe findings for machines."""
    counts = Counter(finding.status for finding in findings)
    return {
        "status": str(worst(findings)),
        "counts": {str(status): counts[status] for status in Status},
        "findings": [
            {
                "check": finding.check,
                "name": finding.name,
                "status": str(finding.status),
                "message": finding.message,
                "mend": finding.mend or None,
            }
            for finding in findings
        ],
    }


def worst(findings: Sequence[Finding]) -> Status:
    """Return the worst status that there is."""
    order = list(Status)
    return max((finding.status for finding in findings), key=order.index, default=Status.OK)

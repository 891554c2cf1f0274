"""Looks at the state again and again, and shows it in place on a terminal or line by line elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from config.errors import BrokerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType

    from semjpeg.status.state import SystemState


class Screen(Protocol):
    """Where the state is shown."""

    def show(self, state: SystemState) -> None:
        """Show a new state."""

    def wait(self, reason: str) -> None:
        """Say why there is none."""


class Lines:
    """Prints what `tell` makes of each state; reasons to wait go to standard error, once each time."""

    def __init__(self, tell: Callable[[SystemState], str]) -> None:
        self._tell = tell
        self._waits = False

    def show(self, state: SystemState) -> None:
        """Print a state."""
        self._waits = False
        click.echo(self._tell(state))

    def wait(self, reason: str) -> None:
        """Print the reason, if it was not just said."""
        if not self._waits:
            click.echo(f"waiting: {reason}", err=True)
        self._waits = True


class Picture:
    """Draws what `draw` makes of each state over the last one, and leaves the last one standing."""

    def __init__(self, live: Live, draw: Callable[[SystemState, int], RenderableType]) -> None:
        self._live = live
        self._draw = draw
        self._state: SystemState | None = None

    def show(self, state: SystemState) -> None:
        """Draw a state."""
        self._state = state
        self._live.update(self._draw(state, self._live.console.width), refresh=True)

    def wait(self, reason: str) -> None:
        """Draw the reason under the last state."""
        told: list[RenderableType] = [Text(f"waiting: {reason}", style="yellow")]
        if self._state is not None:
            told = [self._draw(self._state, self._live.console.width), Text(), *told]
        self._live.update(Group(*told), refresh=True)


def live(console: Console) -> Live:
    """Make the part of a terminal that is drawn over."""
    return Live(console=console, auto_refresh=False, vertical_overflow="ellipsis")


def watch(look: Callable[[], SystemState], screen: Screen, interval_s: float, *, until_over: bool) -> SystemState:
    """Look every `interval_s` seconds and show what is seen; a broker that is away is waited for.

    Args:
        look: Reads the state.
        screen: Shows it.
        interval_s: From the beginning of a look to the beginning of the next.
        until_over: Stop as soon as every run that is looked at is over; else never.

    Returns:
        The last state.
    """
    while True:
        began = time.monotonic()
        try:
            state = look()
        except BrokerUnavailableError as error:
            screen.wait(str(error))
        else:
            screen.show(state)
            if until_over and all(run.is_over for run in state.runs):
                return state
        time.sleep(max(began + interval_s - time.monotonic(), 0))

"""For all tests."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# how long an example takes says something of the machine, and nothing of the code
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_configure() -> None:
    """Let the programs that tests start be interrupted, also where a shell started the tests in the background.

    Such a shell makes its children deaf to the signal, and these theirs.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

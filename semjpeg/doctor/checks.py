"""All checks, in the order in which they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from semjpeg.doctor.broker import look_at_broker
from semjpeg.doctor.configuration import look_at_settings
from semjpeg.doctor.endpoint import look_at_store
from semjpeg.doctor.events import look_at_events
from semjpeg.doctor.gpu import look_at_gpu
from semjpeg.doctor.kernels import look_at_kernels
from semjpeg.doctor.machine import look_at_machine
from semjpeg.doctor.model import look_at_model
from semjpeg.doctor.places import look_at_output, look_at_source
from semjpeg.doctor.queues import look_at_queues
from semjpeg.doctor.runner import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from config.places import Place
    from semjpeg.doctor.context import Context
    from semjpeg.doctor.finding import Finding

_TENSORFLOW_S: Final = 120.0
"""It takes seconds to be imported, on a machine that is busy a minute and more."""
_COMPILING_S: Final = 300.0
"""Where no machine code is kept yet, this check compiles it, as the first worker would."""


def checks_for(context: Context) -> list[Check]:
    """Choose the checks that this machine needs; each place has one of its own."""
    chosen = [
        Check("settings", look_at_settings),
        Check("machine", look_at_machine),
        Check("broker", look_at_broker, needs="settings"),
        Check("queues", look_at_queues, needs="broker"),
        Check("store", look_at_store, needs="settings"),
    ]
    chosen += [Check(f"source {place}", _at(look_at_source, place), needs="store") for place in context.sources]
    chosen += [
        Check(f"output {place}", _at(look_at_output, place), needs="store", writes=context.writes_results)
        for place in context.outputs
    ]
    if context.makes_pictures:
        chosen += [
            Check("model", look_at_model, needs="settings", limit_s=_TENSORFLOW_S),
            Check("GPU", look_at_gpu, limit_s=_TENSORFLOW_S),
            Check("kernels", look_at_kernels, limit_s=_COMPILING_S),
        ]
    return [*chosen, Check("events", look_at_events, needs="settings")]


def _at(look: Callable[[Context, Place], Iterator[Finding]], place: Place) -> Callable[[Context], Iterator[Finding]]:
    return lambda context: look(context, place)

"""Traces of jobs, for an OpenTelemetry collector where one is named; else nothing is recorded, and nothing needed."""

from __future__ import annotations

from contextlib import nullcontext
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from config.errors import ConfigurationError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from config.settings import TracingSettings

_SERVICE = "semjpeg"


class Tracing:
    """Makes spans. Thread-safe; a span that is begun inside another one, in the same thread, is its child."""

    def __init__(self, settings: TracingSettings) -> None:
        """Prepare; spans are sent in the background, some at a time.

        Args:
            settings: Name the collector.

        Raises:
            ConfigurationError: One is named, and the packages that speak with it are not installed.
        """
        self._provider: Any = None
        if settings.endpoint is None:
            return
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise ConfigurationError(f"tracing.endpoint is set: it needs the extra 'tracing' ({error})") from error
        resource = Resource.create({SERVICE_NAME: _SERVICE, SERVICE_VERSION: version(_SERVICE)})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(settings.endpoint)))
        self._tracer = self._provider.get_tracer(_SERVICE)

    def span(self, name: str, **attributes: str | int) -> AbstractContextManager[Any]:
        """Return a context that is recorded as a span; an exception that leaves it is recorded, too.

        Args:
            name: What is done in it.
            attributes: What is known of it, by the names behind `semjpeg.`.
        """
        if self._provider is None:
            return nullcontext()
        named = {f"{_SERVICE}.{key}": value for key, value in attributes.items()}
        span: AbstractContextManager[Any] = self._tracer.start_as_current_span(name, attributes=named)
        return span

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        if self._provider is not None:
            self._provider.shutdown()

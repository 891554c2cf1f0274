"""From events to jobs: only routes that are configured cause work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog
from pydantic import ValidationError

from config.errors import ConfigurationError, InvalidMessageError, PermanentError
from config.jobs import Job
from config.objects import ObjectVersion
from producer.candidates import is_candidate, is_image_key

if TYPE_CHECKING:
    from config.places import Place
    from config.recipes import Recipe, Route
    from config.settings import Settings
    from producer.dialects import ObjectCreated
    from storage import ObjectStore

_log = structlog.get_logger(__name__)


class Buckets(Protocol):
    """Opens buckets by name, as `storage.Stores` does."""

    def open(self, bucket: str) -> ObjectStore:
        """Return the bucket."""
        ...


class Router:
    """Knows which route an object takes. Thread-safe."""

    def __init__(self, settings: Settings, run: str, buckets: Buckets) -> None:
        """Check the routes against each other.

        Args:
            settings: Gives the routes and the recipes that they name.
            run: The run in whose counters the jobs appear.
            buckets: Asked about an object of which an event tells too little.

        Raises:
            ConfigurationError: There is no route, a route names an unknown recipe, or the results of one route are
                or may become the sources of another.
        """
        if not settings.routes:
            raise ConfigurationError("no route is configured: nothing says which bucket's images go where")
        for route in settings.routes:
            for other in settings.routes:
                _refuse_circle(route.output_place, other.source_place)
        self._run = run
        self._buckets = buckets
        self._routes: list[tuple[Route, Recipe]] = [(r, settings.recipe(r.recipe)) for r in settings.routes]

    def jobs(self, event: ObjectCreated) -> list[Job]:
        """Make the jobs that an event causes: one for each route that the object takes, none if it is no image.

        The object itself is looked at (one HEAD request) only where the event lacks its entity tag or its size.

        Raises:
            StorageUnavailableError: The object had to be looked at, and the store cannot be reached.
            InvalidMessageError: The event has no form that a job could have.
        """
        routes = [pair for pair in self._routes if _leads_through(pair[0].source_place, event)]
        if not routes or not is_image_key(event.key):
            return []
        source = _described(event) or self._looked_at(event)
        if source is None or not is_candidate(source):
            return []
        try:
            return [Job.of(route, recipe, source, run=self._run) for route, recipe in routes]
        except ValidationError as error:
            raise InvalidMessageError(f"no job can be made of {event.key!r}: {error}") from error

    def _looked_at(self, event: ObjectCreated) -> ObjectVersion | None:
        """Describe the object's newest version; None if there is none, or none that these credentials may see."""
        try:
            found = self._buckets.open(event.bucket).head(event.key)
        except PermanentError as error:
            _log.error("event dropped", bucket=event.bucket, key=event.key, reason=str(error))
            return None
        if found is None:
            _log.info("event dropped", bucket=event.bucket, key=event.key, reason="the object is gone")
        return found


def _refuse_circle(output: Place, source: Place) -> None:
    if source.contains(output):
        raise ConfigurationError(
            f"the output {output} lies inside the source {source}: results would be compressed again"
        )
    if output.contains(source):
        raise ConfigurationError(
            f"the source {source} lies inside the output {output}: results that fall into it would be compressed again"
        )


def _leads_through(place: Place, event: ObjectCreated) -> bool:
    return event.bucket == place.bucket and event.key.startswith(place.prefix)


def _described(event: ObjectCreated) -> ObjectVersion | None:
    """Return what the event tells of the object, if that is enough."""
    if event.etag is None or event.size_bytes is None:
        return None
    return ObjectVersion(
        key=event.key,
        etag=event.etag,
        size_bytes=event.size_bytes,
        version=event.version,
        metadata=event.metadata,
    )

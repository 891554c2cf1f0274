"""From notifications to jobs: only routes that are configured cause work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from config.errors import ConfigurationError, InvalidMessageError
from config.jobs import Job
from producer.candidates import is_candidate
from producer.events import parse_notification

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.recipes import Recipe, Route
    from config.settings import Settings
    from producer.events import ObjectCreated


class Router:
    """Knows which route an object takes."""

    def __init__(self, settings: Settings, run: str) -> None:
        """Check the routes against each other.

        Args:
            settings: Gives the routes and the recipes that they name.
            run: The run in whose counters the jobs appear.

        Raises:
            ConfigurationError: There is no route, a route names an unknown recipe, or the results of one route are
                the sources of another.
        """
        if not settings.routes:
            raise ConfigurationError("no route is configured: nothing says which bucket's images go where")
        for route in settings.routes:
            for other in settings.routes:
                if other.source_place.contains(route.output_place):
                    raise ConfigurationError(
                        f"the output {route.output_place} lies inside the source {other.source_place}: "
                        "results would be compressed again"
                    )
        self._run = run
        self._routes: list[tuple[Route, Recipe]] = [(r, settings.recipe(r.recipe)) for r in settings.routes]

    def jobs(self, body: str) -> Iterator[Job]:
        """Yield the jobs that a notification causes: one for each created image and each route that it takes.

        Raises:
            InvalidMessageError: The notification is malformed.
        """
        for event in parse_notification(body):
            if is_candidate(event.source):
                yield from self._routed(event)

    def _routed(self, event: ObjectCreated) -> Iterator[Job]:
        for route, recipe in self._routes:
            place = route.source_place
            if event.bucket == place.bucket and event.source.key.startswith(place.prefix):
                try:
                    yield Job.of(route, recipe, event.source, run=self._run)
                except ValidationError as error:
                    raise InvalidMessageError(f"no job can be made of {event.source.key!r}: {error}") from error

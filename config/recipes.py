"""Recipes: named, hashed sets of encode options, and the routes that say where results of a place go."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from config.errors import ConfigurationError
from config.places import Place


class MetadataPolicy(StrEnum):
    """What of a source's EXIF data reaches the result. Its ICC profile always does; embedded thumbnails never do."""

    KEEP = "keep"
    """Everything, with the orientation already applied to the pixels."""

    SAFE = "safe"
    """Author and copyright alone: no GPS position, no serial numbers."""

    NONE = "none"
    """Nothing."""


class Recipe(BaseModel):
    """How one image is to be encoded. Equal recipes have equal hashes, in every process and release."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "default"
    quality: Annotated[int, Field(ge=1, le=100)] = 75
    """Where the map says that it matters, at least as good as libjpeg at this quality."""
    strength: Annotated[float, Field(ge=0, le=1)] = 0.6
    """How much the rest may lose: 0 treats all of the picture alike."""
    metadata: MetadataPolicy = MetadataPolicy.SAFE
    save_map: bool = False
    """Whether the importance map is kept beside the metrics as a grey PNG."""

    @property
    def hash(self) -> str:
        """SHA-256 over the options in canonical JSON, less the name: 64 hexadecimal digits."""
        options = self.model_dump(mode="json", exclude={"name"})
        return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()


class Route(BaseModel):
    """Objects of `source` become results in `output`, made by the recipe called `recipe`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    output: str
    recipe: str = "default"

    def model_post_init(self, _context: object, /) -> None:
        """Refuse a route whose results would be taken for new sources."""
        if self.source_place.contains(self.output_place):
            raise ConfigurationError(
                f"the output {self.output_place} lies inside the source {self.source_place}: "
                "results would be compressed again"
            )

    @property
    def source_place(self) -> Place:
        """Where the sources are."""
        return Place.parse(self.source)

    @property
    def output_place(self) -> Place:
        """Where the results go."""
        return Place.parse(self.output)

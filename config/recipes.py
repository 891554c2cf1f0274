"""Recipes: named, hashed sets of encode options, and the routes that say where results of a place go."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from config.errors import ConfigurationError
from config.places import MAX_KEY_BYTES, Place, ResultKeys


class MetadataPolicy(StrEnum):
    """What of a source's EXIF data reaches the result. Its ICC profile always does; embedded thumbnails never do."""

    KEEP = "keep"
    """Everything, with the orientation already applied to the pixels."""

    SAFE = "safe"
    """Author and copyright alone: no GPS position, no serial numbers."""

    NONE = "none"
    """Nothing."""


DEFAULT_QUALITY: Final = 75

Aim = Literal["balanced", "hvs", "ssimulacra2", "psnr"]
Method = Literal["trellis", "mosaic"]
Mixing = Literal["mean", "linear", "quantiles", "steps", "median-wide", "median-narrow"]
"""The encoder's own choices, which this lowest layer repeats because it cannot import them."""

_RATES: Final = ("quality", "match_jpeg", "target_bytes")
_Quality = Annotated[int, Field(ge=1, le=100)]


class MosaicOptions(BaseModel):
    """How `method = "mosaic"` puts a picture together: `codec.Mosaic` explains each, and the rules of `mixing`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    levels: Annotated[int, Field(ge=2)] = 5
    """How many qualities there are to choose from."""
    low: _Quality = 30
    high: _Quality = 70
    """The lowest and the highest of them."""
    mixing: Mixing = "linear"
    """The rule that gives each pixel its quality."""
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """How far from libjpeg's bytes a file may be for `match_jpeg`, as a share of them."""

    @model_validator(mode="after")
    def _check_range(self) -> MosaicOptions:
        if self.low >= self.high:
            raise ValueError(f"low must be below high, not {self.low} and {self.high}")
        if self.levels > self.high - self.low + 1:
            raise ValueError(f"{self.low} to {self.high} are {self.high - self.low + 1} qualities, not {self.levels}")
        return self


class Recipe(BaseModel):
    """How one image is to be encoded. Equal recipes have equal hashes, in every process and release.

    It has exactly one rate: `quality`, `match_jpeg` or `target_bytes`; the others are None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "default"
    quality: _Quality | None = None
    """Where the map says that it matters, at least as good as libjpeg at this quality; 75 where no rate is given. (A
    mosaic is saved at this quality, without a promise.)"""
    match_jpeg: _Quality | None = None
    """As many bytes as libjpeg's plain file at this quality has, and as good as that allows."""
    target_bytes: Annotated[ByteSize, Field(ge=1)] | None = None
    """At most so many bytes, and as good as that allows; also as text: `200k`, `1.5M`."""
    aim: Aim = "balanced"
    """The metric that decides where two disagree; `balanced`: none is bought with another."""
    method: Method = "trellis"
    """`mosaic` is the way of the paper by Prakash et al."""
    mosaic: MosaicOptions | None = None
    """Of the method `mosaic`, which has its defaults where none are given; None for any other."""
    strength: Annotated[float, Field(ge=0, le=1)] = 0.6
    """How much the rest may lose: 0 treats all of the picture alike."""
    metadata: MetadataPolicy = MetadataPolicy.SAFE
    save_map: bool = False
    """Whether the importance map is kept beside the metrics as a grey PNG."""

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, fields: Any) -> Any:
        """Set what follows from what is given, so that equal recipes are equal however they were written."""
        if not isinstance(fields, dict):
            return fields
        if all(fields.get(rate) is None for rate in _RATES):
            fields = {**fields, "quality": DEFAULT_QUALITY}
        if fields.get("method") == "mosaic" and fields.get("mosaic") is None:
            fields = {**fields, "mosaic": MosaicOptions()}
        return fields

    @model_validator(mode="after")
    def _check_choices(self) -> Recipe:
        rates = [rate for rate in _RATES if getattr(self, rate) is not None]
        if len(rates) > 1:
            raise ValueError(f"a recipe has one of {', '.join(_RATES)}, not {' and '.join(rates)}")
        if self.mosaic is not None and self.method != "mosaic":
            raise ValueError(f"options of a mosaic need the method mosaic, not {self.method}")
        return self

    @model_serializer(mode="wrap")
    def _only_what_is_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {field: value for field, value in handler(self).items() if value is not None}

    @property
    def hash(self) -> str:
        """SHA-256 over the options in canonical JSON, less the name: 64 hexadecimal digits.

        Aim and method count where they are not the defaults: recipes from before there was a choice keep their hashes.
        """
        options = self.model_dump(mode="json", exclude={"name"})
        for choice in ("aim", "method"):
            if options[choice] == type(self).model_fields[choice].default:
                del options[choice]
        return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()

    @property
    def rate(self) -> tuple[str, int]:
        """Which of the rates is given, by its field's name, and its value."""
        name = next(rate for rate in _RATES if getattr(self, rate) is not None)
        return name, int(getattr(self, name))

    @property
    def libjpeg_quality(self) -> int | None:
        """Libjpeg's quality that the recipe names; None where it names bytes."""
        return self.quality or self.match_jpeg


class Route(BaseModel):
    """Objects of `source` become results in `output`, made by the recipe called `recipe`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    output: str
    recipe: str = "default"

    def model_post_init(self, _context: object, /) -> None:
        """Refuse a route whose results would or might be taken for new sources, or have no place for their records."""
        source, output = self.source_place, self.output_place
        if source.contains(output):
            raise ConfigurationError(
                f"the output {output} lies inside the source {source}: results would be compressed again"
            )
        if output.contains(source):
            raise ConfigurationError(
                f"the source {source} lies inside the output {output}: results that fall into it would be compressed "
                "again"
            )
        ResultKeys.of("x" * MAX_KEY_BYTES, output.prefix)  # even the longest name needs a record

    @property
    def source_place(self) -> Place:
        """Where the sources are."""
        return Place.parse(self.source)

    @property
    def output_place(self) -> Place:
        """Where the results go."""
        return Place.parse(self.output)

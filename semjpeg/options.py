"""The options that say how to encode, for every command that encodes files itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import click
from pydantic import ValidationError

from config.recipes import DEFAULT_QUALITY, Aim, MetadataPolicy, Method, Mixing, MosaicOptions, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_core import ErrorDetails

_DEFAULTS = Recipe()
_MOSAIC = MosaicOptions()
_PREFIX = "mosaic_"

_OPTIONS = (
    click.option(
        "-q",
        "--quality",
        type=click.IntRange(1, 100),
        help="Where it matters, at least as good as libjpeg at this quality, and as small as that allows. Default: "
        f"{DEFAULT_QUALITY}.",
    ),
    click.option(
        "--match-jpeg",
        type=click.IntRange(1, 100),
        metavar="Q",
        help="Instead: as many bytes as libjpeg's plain file at quality Q has, and as good as that allows.",
    ),
    click.option(
        "--target-bytes",
        metavar="N",
        help="Instead: at most N bytes, such as 50000, 200k or 1.5M, and as good as that allows.",
    ),
    click.option(
        "--aim",
        type=click.Choice(get_args(Aim)),
        default=_DEFAULTS.aim,
        show_default=True,
        help="The metric that decides where two disagree; balanced: none is bought with another. hvs is PSNR-HVS-M.",
    ),
    click.option(
        "--strength",
        type=click.FloatRange(0, 1),
        default=_DEFAULTS.strength,
        show_default=True,
        help="How much the rest may lose.",
    ),
    click.option(
        "--metadata",
        type=click.Choice([str(policy) for policy in MetadataPolicy]),
        default=str(_DEFAULTS.metadata),
        show_default=True,
        help="Which EXIF data to keep; safe: author and copyright.",
    ),
    click.option(
        "--method",
        type=click.Choice(get_args(Method)),
        default=_DEFAULTS.method,
        show_default=True,
        help="trellis chooses the levels of every block by the map. mosaic is the way of the paper by Prakash et al.: "
        "it puts the picture together from copies at several qualities and saves that once more.",
    ),
    click.option(
        "--mosaic-levels",
        type=click.IntRange(2, 100),
        help=f"How many qualities a mosaic chooses from. Default: {_MOSAIC.levels}.",
    ),
    click.option("--mosaic-low", type=click.IntRange(1, 99), help=f"The lowest of them. Default: {_MOSAIC.low}."),
    click.option("--mosaic-high", type=click.IntRange(2, 100), help=f"The highest of them. Default: {_MOSAIC.high}."),
    click.option(
        "--mosaic-mixing",
        type=click.Choice(get_args(Mixing)),
        help="What chooses each pixel's quality: its value in the map (linear), its rank there (quantiles), its rank "
        "in four steps (steps), or only whether it is above the mean or the median: then there are two qualities, wide "
        f"apart or both high (narrow). Default: {_MOSAIC.mixing}.",
    ),
    click.option(
        "--mosaic-threshold",
        type=click.FloatRange(0, 1, max_open=True),
        help="How far from libjpeg's bytes a mosaic may be with --match-jpeg, as a share of them. Default: "
        f"{_MOSAIC.threshold}.",
    ),
)


def encoding_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of which `recipe_of` makes a recipe."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def recipe_of(options: dict[str, Any]) -> Recipe:
    """Make the recipe that the values of `encoding_options` describe.

    Raises:
        click.UsageError: Two of them contradict each other, or a value is malformed.
    """
    given = {name: value for name, value in options.items() if value is not None}
    rates = [name for name in ("quality", "match_jpeg", "target_bytes") if name in given]
    if len(rates) > 1:
        raise click.UsageError(f"{' and '.join(map(_flag, rates))} contradict each other: give one")
    mosaic = {name.removeprefix(_PREFIX): given.pop(name) for name in list(given) if name.startswith(_PREFIX)}
    if mosaic and given["method"] != "mosaic":
        raise click.UsageError(f"{_flag(_PREFIX + next(iter(mosaic)))} needs --method mosaic")
    if mosaic:
        given["mosaic"] = mosaic
    try:
        return Recipe.model_validate(given)
    except ValidationError as error:
        raise click.UsageError("; ".join(map(_reason, error.errors()))) from error


def _reason(error: ErrorDetails) -> str:
    """Name the option, or the group of options whose values do not go together, and say what is wrong."""
    name = "_".join(map(str, error["loc"]))
    together = error["type"] == "value_error"
    return f"{name}: {error['ctx']['error']}" if together else f"{_flag(name)}: {error['msg']}"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"

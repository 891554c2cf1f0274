"""The encoding options of the command line."""

from __future__ import annotations

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import codec
from config.recipes import MetadataPolicy, MosaicOptions, Recipe
from semjpeg.commands import compress
from semjpeg.options import encoding_options, recipe_of


def _recipe(*arguments: str) -> Recipe:
    @click.command()
    @encoding_options
    @click.pass_context
    def command(context: click.Context, **options: object) -> None:
        del context
        made.append(recipe_of(options))

    made: list[Recipe] = []
    command.main(list(arguments), standalone_mode=False)
    return made[0]


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ("", {}),
        ("-q 40", {"quality": 40}),
        ("--quality 75", {}),
        ("--match-jpeg 50", {"match_jpeg": 50}),
        ("--target-bytes 1234", {"target_bytes": 1234}),
        ("--target-bytes 200k", {"target_bytes": 200_000}),
        ("--target-bytes 1.5M", {"target_bytes": 1_500_000}),
        ("--aim psnr --strength 0.25 --metadata none", {"aim": "psnr", "strength": 0.25, "metadata": "none"}),
        ("--method mosaic", {"method": "mosaic", "mosaic": MosaicOptions()}),
        (
            "--method mosaic --mosaic-levels 9 --mosaic-low 20 --mosaic-high 95 --mosaic-mixing steps",
            {"method": "mosaic", "mosaic": {"levels": 9, "low": 20, "high": 95, "mixing": "steps"}},
        ),
        (
            "--method mosaic --mosaic-threshold 0.2 --match-jpeg 60",
            {"method": "mosaic", "mosaic": {"threshold": 0.2}, "match_jpeg": 60},
        ),
    ],
)
def test_options_make_the_recipe_they_say(arguments, fields):
    assert _recipe(*arguments.split()) == Recipe(**fields)


def test_metadata_is_a_policy():
    assert _recipe("--metadata", "keep").metadata is MetadataPolicy.KEEP


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("-q 75 --match-jpeg 50", "--quality and --match-jpeg contradict"),
        ("-q 75 --target-bytes 1k", "--quality and --target-bytes contradict"),
        ("--match-jpeg 50 --target-bytes 1k", "--match-jpeg and --target-bytes contradict"),
        ("--match-jpeg 0", "--match-jpeg"),
        ("--target-bytes 0", "--target-bytes"),
        ("--target-bytes much", "--target-bytes"),
        ("--aim ssim", "--aim"),
        ("--method jpeg", "--method"),
        ("--mosaic-levels 5", "--mosaic-levels needs --method mosaic"),
        ("--method trellis --mosaic-mixing mean", "--mosaic-mixing needs --method mosaic"),
        ("--method mosaic --mosaic-mixing median", "--mosaic-mixing"),
        ("--method mosaic --mosaic-low 80", "low must be below high"),
        ("--method mosaic --mosaic-levels 60", "30 to 70 are 41 qualities"),
        ("--method mosaic --mosaic-threshold 1", "--mosaic-threshold"),
    ],
)
def test_bad_usage_is_named(arguments, named):
    with pytest.raises(click.UsageError) as caught:
        _recipe(*arguments.split())
    assert named in caught.value.format_message()


def test_no_map_loads_no_network_and_treats_every_part_alike(monkeypatch, tmp_path):
    def fail() -> None:
        raise AssertionError("the network was loaded")

    monkeypatch.setattr(compress, "network", fail)
    monkeypatch.setattr("semjpeg.api.network", fail)
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("a.png")
    done = CliRunner().invoke(compress.command, ["a.png", "--no-map", "-o", "a.jpg"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "a.jpg").read_bytes() == codec.encode(pixels).data
    refused = CliRunner().invoke(compress.command, ["a.png", "--no-map", "--map", "a.png"])
    assert refused.exit_code == 2
    assert "--map and --no-map contradict" in refused.output

"""`semjpeg evaluate maps`: the table, the files that it leaves, and its exit codes."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import semjpeg.api
from semjpeg import cli
from semjpeg.benchmark.runs import Failure
from semjpeg.evaluation import saving, sheet


@pytest.fixture
def call(monkeypatch, capsys, network):
    """Call the command line and return its exit code, standard output and standard error."""
    monkeypatch.setattr(semjpeg.api, "network", lambda: network)

    def run_it(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["semjpeg", "evaluate", "maps", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        told = capsys.readouterr()
        return left.value.code, told.out, told.err

    return run_it


def test_the_command_prints_the_table_and_leaves_csv_and_sheet(folders, tmp_path, call):
    code, out, err = call(*folders, "-o", tmp_path / "out/deep")
    assert code == 0
    assert "the network" in out
    assert "boundary connectivity alone" in out
    assert "5 of 5" in out
    assert "scoring: 5/5" in err
    assert {path.name for path in (tmp_path / "out/deep").iterdir()} == {"maps.csv", "contact-sheet.png"}
    text = (tmp_path / "out/deep/maps.csv").read_text(encoding="utf-8")
    assert [line.split(",")[0] for line in text.splitlines()] == [
        "name",
        "a.jpg",
        "b.jpg",
        "c.jpg",
        "grün.jpg",
        "日本.jpg",
    ]
    with Image.open(tmp_path / "out/deep/contact-sheet.png") as page:
        assert page.size == (1082, 76 + 5 * 162)


def test_further_pages_are_numbered_and_none_drawn_where_none_is_wanted(folders, tmp_path, call, monkeypatch):
    monkeypatch.setattr(sheet, "ROWS_OF_A_PAGE", 2)
    call(*folders, "-o", tmp_path / "three")
    assert {path.name for path in (tmp_path / "three").glob("*.png")} == {
        "contact-sheet.png", "contact-sheet-2.png", "contact-sheet-3.png",
    }  # fmt: skip
    call(*folders, "-o", tmp_path / "one", "--sheet", "1")
    with Image.open(tmp_path / "one/contact-sheet.png") as page:
        assert page.height == 76 + 162
    call(*folders, "-o", tmp_path / "none", "--sheet", "0")
    assert {path.name for path in (tmp_path / "none").iterdir()} == {"maps.csv"}


def test_a_broken_file_gives_one_and_no_pair_two(folders, tmp_path, call):
    images, masks = folders
    (images / "a.jpg").write_bytes(b"broken")
    (masks / "b.png").rename(masks / "z.png")
    code, out, err = call(images, masks, "-o", tmp_path / "out", "--json")
    told = json.loads(out)
    assert code == 1
    assert (told["pictures"], told["pictures_without_mask"], told["masks_without_picture"]) == (3, ["b.jpg"], ["z.png"])
    assert [Path(failure["picture"]).name for failure in told["failed"]] == ["a.jpg"]
    assert len(told["table"]) == 3
    assert told["saving"] is None
    assert "1 left out, without a mask: b.jpg" in err
    assert "1 left out, without a picture: z.png" in err
    assert "a.jpg: " in err
    for mask in masks.iterdir():
        mask.rename(masks / f"no-{mask.name}")
    assert call(images, masks, "-o", tmp_path / "out")[0] == 2


def test_where_nothing_could_be_scored_the_exit_code_is_one(folders, tmp_path, call):
    images, masks = folders
    for image in images.iterdir():
        image.write_bytes(b"broken")
    code, out, _ = call(images, masks, "-o", tmp_path / "out", "--saving")
    assert (code, out) == (1, "")
    assert json.loads(call(images, masks, "-o", tmp_path / "out", "--json")[1])["table"] == []


def test_ready_made_maps_need_no_network(folders, tmp_path, call, monkeypatch, write):
    images, masks = folders
    monkeypatch.setattr(semjpeg.api, "network", None)
    code, out, _ = call(images, masks, "--maps", masks, "-o", tmp_path / "out", "--limit", "3", "--json")
    row = json.loads(out)["table"][0]
    assert (code, row["name"], row["pictures"], row["auc"]["value"]) == (0, "masks", 3, 1)
    assert row["mae"] == {"value": 0, "interval": [0, 0]}
    weights = write(tmp_path / "weights.png", np.zeros((2, 2), np.uint8))
    assert call(images, masks, "--maps", masks, "--model", weights)[0] == 2


def test_the_saving_is_told_in_table_json_and_csv(folders, tmp_path, call, monkeypatch):
    def measured(scored, jobs, tell):
        del jobs
        for each in scored:
            tell(each.pair.picture, "")
        rates = {each.pair.picture: tuple(map(math.log, (0.8, 0.7, 0.6))) for each in scored[1:]}
        return rates, [Failure(scored[0].pair.picture, "why")]

    monkeypatch.setattr(saving, "measure_saving", measured)
    code, out, _ = call(*folders, "-o", tmp_path / "out", "--saving")
    assert code == 1
    assert "the true mask" in out
    assert "−20.0" in out
    assert "50 to 50" in out
    told = json.loads(call(*folders, "-o", tmp_path / "out", "--saving", "--json")[1])
    assert told["saving"]["share"]["value"] == pytest.approx(0.5)
    assert told["saving"]["pictures"] == 4
    assert len(told["failed"]) == 1
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out/maps.csv").read_text(encoding="utf-8"))))
    assert [row["bd_rate_mask"] for row in rows] == ["", *["-40.000"] * 4]


def test_an_output_folder_that_cannot_be_made_is_refused_before_the_work(folders, tmp_path, call, monkeypatch):
    monkeypatch.setattr(semjpeg.api, "network", None)
    (tmp_path / "file").touch()
    code, _, err = call(*folders, "-o", tmp_path / "file/out")
    assert code == 2
    assert "cannot be made" in err

"""The authors' log files, and our own CSV, read back."""

from __future__ import annotations

import csv
import io
import math
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import ObjectMissingError
from semjpeg.comparison import table
from semjpeg.comparison.entry import COLUMNS, JPEG, LOGGED, OUR, Entry, File
from semjpeg.comparison.log import category_of, parse, read

LINE = (
    "/home/ap/pictures/kodak/kodim11.png 6 638906 45772 46596 50 54  |  33.908424 0.953044 0.987010 0.559736 33.932735 "
    "39.881672  |  34.059929 0.953715 0.987337 0.562519 34.122391 40.124123  |  "
)


def written(entry: Entry) -> str:
    """Write a line as the authors' program does."""
    jpeg, our = entry.files[JPEG], entry.files[OUR]
    groups = ["  ".join(f"{file.measures[measure]:f}" for measure in LOGGED) for file in (jpeg, our)]
    return (
        f"{entry.filename} {entry.model_number} {entry.png_size} {jpeg.size_bytes} {our.size_bytes} {jpeg.quality} "
        f"{our.quality}  |  {groups[0]}  |  {groups[1]}  |  "
    )


sizes = st.integers(1, 10**9)
qualities = st.integers(0, 100)
figures = st.integers(-(10**6), 10**8).map(lambda millionths: millionths / 10**6)
logged = st.lists(figures, min_size=6, max_size=6).map(lambda values: dict(zip(LOGGED, values, strict=True)))
files = st.builds(File, sizes, qualities, logged)
names = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: name.strip() == name
)
logs = st.builds(
    lambda name, model, png, jpeg, our: Entry(name, category_of(name), model, png, None, {JPEG: jpeg, OUR: our}),
    names,
    st.integers(0, 9),
    sizes,
    files,
    files,
)


def test_a_line_of_the_authors_is_read():
    entry = parse(LINE)
    assert (entry.filename, entry.category) == ("/home/ap/pictures/kodak/kodim11.png", "kodak")
    assert (entry.model_number, entry.png_size, entry.size_px) == (6, 638906, None)
    jpeg, our = entry.files[JPEG], entry.files[OUR]
    assert (jpeg.size_bytes, our.size_bytes, jpeg.quality, our.quality) == (45772, 46596, 50, 54)
    assert list(jpeg.measures.items()) == [
        ("psnr", 33.908424), ("ssim", 0.953044), ("ms_ssim", 0.98701), ("vifp", 0.559736), ("psnr_hvs", 33.932735),
        ("psnr_hvs_m", 39.881672),
    ]  # fmt: skip
    assert our.measures["vifp"] == 0.562519
    assert our.measures["psnr_hvs_m"] == 40.124123


@settings(deadline=None)
@given(logs)
def test_what_is_written_is_read_again(entry):
    assert parse(written(entry)) == entry
    assert parse(written(entry).rstrip().removesuffix("|") + "\r") == entry


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (LINE.replace(" 6 ", " six "), "model_number must be a whole number of 0 or more, not 'six'"),
        (LINE.replace(" 45772 ", " 0 "), "jpeg_size must be a whole number of 1 or more, not '0'"),
        (LINE.replace(" 638906 ", " -1 "), "png_size must be"),
        (LINE.replace(" 638906 ", " 6_3 "), "png_size must be"),
        (LINE.replace(" 638906 ", " ٣ "), "png_size must be"),
        (LINE.replace("33.908424", "nan"), "jpeg_psnr must be a number, not 'nan'"),
        (LINE.replace("40.124123", "inf"), "our_psnrhvsm must be a number, not 'inf'"),
        (LINE.replace("0.559736 ", ""), "has 5 measures of jpeg, not 6"),
        (LINE.replace("0.562519", "0.562519 1"), "has 7 measures of our, not 6"),
        (LINE.partition("|")[0], "bars part it into 1, not into 3"),
        ("6 638906 45772 46596 50 54" + LINE[LINE.index("  |") :], "has 6 fields before the first bar"),
        ("|  |  |", "has 0 fields before the first bar"),
        (LINE.replace(" 638906", ""), "has 6 fields before the first bar"),
    ],
)
def test_a_malformed_line_is_refused_with_the_reason(line, reason):
    with pytest.raises(ValueError, match="^" + reason.replace("|", r"\|")):
        parse(line)


@settings(deadline=None)
@given(st.text())
def test_any_other_text_is_refused_and_nothing_else_raised(text):
    try:
        entry = parse(text)
    except ValueError:
        return
    assert parse(written(entry)).files.keys() == {JPEG, OUR}


def test_a_file_keeps_its_order_and_its_malformed_lines_are_counted(tmp_path):
    path = tmp_path / "log.txt"
    other = LINE.replace("kodim11", "my picture | 2")
    path.write_bytes("\r\n".join(["\ufeff" + LINE, "", "nonsense", "  ", other]).encode())
    entries, malformed = read(path)
    assert [Path(entry.filename).name for entry in entries] == ["kodim11.png", "my picture | 2.png"]
    assert [str(line) for line in malformed] == [f"{path}:3: bars part it into 1, not into 3"]


def test_names_with_odd_bytes_are_read(tmp_path):
    path = tmp_path / "log.txt"
    path.write_bytes(LINE.encode().replace(b"kodim11", b"gr\xfcn"))
    entries, malformed = read(path)
    assert not malformed
    assert entries[0].filename.encode("utf-8", "surrogateescape").endswith(b"/gr\xfcn.png")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ObjectMissingError):
        read(tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("name", "category"),
    [("a.png", ""), ("/x/y/a.png", "y"), ("y/a b.png", "y"), (r"C:\MIT\out door\a.png", "out door"), ("/a.png", "")],
)
def test_the_folder_is_the_category(name, category):
    assert category_of(name) == category


# --- metrics.csv ---

printable = st.text(string.printable.replace("\r", ""), min_size=1)
measured = st.fixed_dictionaries(dict.fromkeys(COLUMNS, figures))
entries = st.builds(
    Entry,
    printable,
    printable,
    st.integers(0, 6),
    sizes,
    st.none() | st.tuples(sizes, sizes),
    st.fixed_dictionaries(
        {JPEG: st.builds(File, sizes, qualities, measured), OUR: st.builds(File, sizes, st.none(), measured)},
        optional={"mozjpeg": st.builds(File, sizes, st.integers(32, 3200).map(lambda n: n / 32), measured)},
    ),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(entries, min_size=1, max_size=3))
def test_a_row_is_read_as_it_was_written(found):
    rows = csv.DictReader(io.StringIO(table.to_csv(found), newline=""))
    assert [table.from_row(row) for row in rows] == found


def test_a_name_may_hold_a_line_end(tmp_path, entry_of):
    path = tmp_path / "metrics.csv"
    found = [entry_of("two\nlines, and a comma"), entry_of("b")]
    path.write_bytes(table.to_csv(found).encode())
    assert read(path) == (found, [])


def test_the_columns_are_those_of_the_log_and_then_ours(entry_of):
    entry = entry_of("a.png", our_size=1012)
    heading, row = list(csv.reader(io.StringIO(table.to_csv([entry]))))
    assert heading[:19] == [
        "filename", "model_number", "png_size", "jpeg_size", "our_size", "jpeg_q", "our_q", "jpeg_psnr", "jpeg_ssim",
        "jpeg_msssim", "jpeg_vifp", "jpeg_psnrhvs", "jpeg_psnrhvsm", "our_psnr", "our_ssim", "our_msssim", "our_vifp",
        "our_psnrhvs", "our_psnrhvsm",
    ]  # fmt: skip
    assert heading[19:] == [
        "category", "width_px", "height_px", "jpeg_psnrs", "jpeg_ssimulacra2", "our_psnrs", "our_ssimulacra2",
        "our_off_percent",
    ]  # fmt: skip
    assert row[:8] == ["a.png", "2", "9000", "1000", "1012", "50", "61", "30.000000"]
    assert row[-1] == "1.200"


def test_a_malformed_row_is_named_and_the_rest_goes_on(tmp_path, entry_of):
    path = tmp_path / "metrics.csv"
    rows = table.to_csv([entry_of(name) for name in "abcd"]).splitlines()
    rows[2] = rows[2].replace("30.000000", "much", 1)
    rows[3] += ",1"
    rows[4] = rows[4].rpartition(",")[0]
    path.write_text("\n".join(rows), encoding="utf-8")
    found, malformed = read(path)
    assert [entry.filename for entry in found] == ["a"]
    assert [(line.line, line.reason) for line in malformed] == [
        (3, "jpeg_psnr must be a number, not 'much'"),
        (4, "has another number of fields than the heading"),
        (5, "has another number of fields than the heading"),
    ]


def test_a_csv_without_sizes_is_refused_row_by_row(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("filename,psnr\na,3\n", encoding="utf-8")
    assert [str(line) for line in read(path)[1]] == [f"{path}:2: has no jpeg_size"]


def test_numbers_are_finite():
    assert table.number("1e3", "x") == 1000
    for text in ("", "nan", "1e999", "1_0", "x"):
        with pytest.raises(ValueError, match="x must be a number"):
            table.number(text, "x")
    assert math.isclose(table.number("-0.5", "x"), -0.5)

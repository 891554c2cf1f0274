from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from config.errors import ConfigurationError, ObjectMissingError, SemjpegError
from config.places import Place
from semjpeg.cli import cli
from semjpeg.progress import counting
from semjpeg.report.discovery import with_records
from semjpeg.report.outputs import LocalFile, StoredObject, output_of
from semjpeg.report.sources import Folders, Table, find_source
from storage.local import LocalStore


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No settings, no credentials, and a working directory of the test's own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "SEMJPEG_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("SEMJPEG_BROKER__URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it remembers the credentials of other tests
    monkeypatch.chdir(tmp_path)


def report(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)])


def figures(*arguments: str | Path) -> dict:
    done = report(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def place(write_records, finished_record, failed_record) -> Path:
    return write_records(
        *(finished_record(f"{i}.png", run="spring" if i < 4 else "autumn") for i in range(6)),
        failed_record("f.gif"),
    )


def test_a_folder_becomes_a_page(place, tmp_path):
    done = report(place)
    assert done.exit_code == 0, done.output
    assert "6 images done, 1 failed" in done.stdout
    assert "75.0% saved" in done.stdout
    assert "look at report.html" in done.stdout
    assert (tmp_path / "report.html").read_bytes().startswith(b"<!")


def test_the_figures_as_json(place, tmp_path):
    told = figures(place, "-o", tmp_path / "new folder" / "page.html")
    assert (told["done"], told["failed"], told["bytes_in"], told["bytes_out"]) == (6, 1, 6000, 1500)
    assert (told["saved"], told["saved_against_libjpeg"]) == (0.75, 1 - 250 / 300)
    assert told["first"] == "2026-11-22T12:36:51.159+00:00"
    assert told["failures"] == [{"code": "damaged-image", "count": 1, "examples": [["f.gif", "ends early"]]}]
    assert told["page"] == str(tmp_path / "new folder/page.html")
    assert told["title"] == str(place)
    assert Path(told["page"]).is_file()


def test_only_one_run(place):
    told = figures(place, "--run", "spring")
    assert (told["title"], told["done"], told["failed"]) == ("spring", 4, 1)
    done = report(place, "--run", "summer")
    assert isinstance(done.exception, ObjectMissingError)
    assert "autumn (2)" in str(done.exception)


def test_a_table_tells_the_same_again(place):
    (place / ".semjpeg/metrics/broken.json").write_text("{")
    first = figures(place, "--parquet", "t.parquet")
    again = figures("t.parquet", "-o", "again.html")
    assert first["table"] == "t.parquet"
    assert first["unreadable_count"] == 1
    without = {"page", "table"}
    assert {k: v for k, v in first.items() if k not in without} == {k: v for k, v in again.items() if k not in without}
    assert figures("t.parquet", "--run", "autumn")["done"] == 2


def test_a_record_that_cannot_be_read_is_named_and_the_report_is_made(place):
    (place / ".semjpeg/metrics/broken.json").write_text("{")
    done = report(place)
    assert done.exit_code == 0
    assert "1 record could not be read" in done.stderr
    assert ".semjpeg/metrics/broken.json: is no JSON" in done.stderr


def test_names_with_odd_bytes(write_records, finished_record):
    place = write_records(*(finished_record(f"odd \udcff {i}.png") for i in range(3)))
    (place / ".semjpeg/metrics/broken \udcff.json").write_text("{")
    told = figures(place, "--parquet", "t.parquet")
    assert told["slowest"][0]["key"] == "odd \udcff 0.png"
    again = figures("t.parquet")
    assert (again["slowest"], again["unreadable"]) == (told["slowest"], told["unreadable"])
    assert report(place).exit_code == 0


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("no/such/folder", "does not exist"),
        ("missing.parquet", "does not exist"),
        ("s3://small/report.parquet", "copy it here"),
        ("s3://", "is no place"),
        ("s3://small/2024", "credentials"),
    ],
)
def test_what_is_no_source_is_refused(target, reason):
    with pytest.raises(ConfigurationError, match=reason):
        find_source(target, None)


def test_a_run_needs_the_broker():
    with pytest.raises(SemjpegError, match="broker"):
        find_source("spring", None)
    with pytest.raises(ConfigurationError, match="--run"):
        find_source("spring", "autumn")


def test_a_folder_without_records_says_where_it_looked(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/a.json").touch()
    (tmp_path / "pictures/.semjpeg").mkdir()
    (tmp_path / "pictures/.semjpeg/other.json").touch()
    with pytest.raises(ObjectMissingError, match=r"pictures.*\.semjpeg/metrics/.*below it"):
        find_source(str(tmp_path / "pictures"), None)


def test_places_below_a_place(write_records, finished_record, tmp_path):
    for name in ("top/2024", "top/deep/er/2025", "top/2026"):
        write_records(finished_record(name), place=name)
    write_records(finished_record("nested"), place="top/2024/inside")
    for i in range(30):
        (tmp_path / f"top/{i:02}.jpg").touch()
        (tmp_path / f"top/2025/{i}").mkdir(parents=True)
        (tmp_path / f"top/2025/{i}/picture.jpg").touch()
    store = LocalStore(tmp_path)
    found = with_records(store, Place("b", "top/"), "top")
    assert [place.prefix for place in found] == ["top/2024/", "top/2026/", "top/deep/er/2025/"]
    assert with_records(store, Place("b", "top/2024/"), "it") == (Place("b", "top/2024/"),)
    assert figures(tmp_path / "top")["done"] == 3


def test_looking_for_places_comes_to_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr("semjpeg.report.discovery._MOST_STEPS", 20)
    for i in range(50):
        (tmp_path / f"x/{i:02}").mkdir(parents=True)
        (tmp_path / f"x/{i:02}/picture.jpg").touch()
    with pytest.raises(ObjectMissingError, match="first 20 keys"):
        with_records(LocalStore(tmp_path), Place("b", "x/"), "x")


def test_a_url_of_a_folder_is_the_folder(place):
    assert figures(f"file://{place}")["done"] == 6
    assert isinstance(find_source(f"file://{place}", None), Folders)


def test_pictures_in_copies_of_buckets_are_shown(write_records, finished_record, tmp_path):
    record = finished_record("p.png", output="s3://small", result="p.png.jpg")
    place = write_records(record, place="copies/small")
    (tmp_path / "copies/photos").mkdir()
    picture = Image.linear_gradient("L").resize((40, 30))
    picture.save(tmp_path / "copies/photos/p.png")
    picture.save(place / "p.png.jpg", "JPEG")
    source = find_source(str(tmp_path / "copies"), None)
    buckets = source.buckets_of(())
    assert buckets.open("photos").get("p.png", max_bytes=10**6, etag="of the bucket")[:4] == b"\x89PNG"
    with pytest.raises(ObjectMissingError, match="no copy"):
        buckets.open("other")
    for outside in ("..", ".", "small/..", "../copies"):
        with pytest.raises(ObjectMissingError):
            buckets.open(outside)
    assert buckets.open(f"file://{place}").head("p.png.jpg") is not None


def test_a_table_has_a_gallery_where_its_pictures_are_in_reach(write_records, finished_record, tmp_path):
    place = write_records(finished_record("p.png", output=f"file://{tmp_path}/place", result="p.png.jpg"))
    figures(place, "--parquet", "t.parquet")
    source = find_source("t.parquet", None)
    assert isinstance(source, Table)
    rows = tuple(source.items())
    assert source.buckets_of(rows) is None
    (place / "p.png.jpg").touch()
    assert source.buckets_of(rows).open(f"file://{place}").head("p.png.jpg") is not None


def test_a_count_without_an_end_is_told_now_and_then(capsys):
    with counting("reading", "records", 2) as tell:
        for _ in range(5):
            tell()
    assert capsys.readouterr().err == "reading: 2 records\nreading: 4 records\n"


def test_where_reports_are_written(tmp_path):
    (tmp_path / "there").mkdir()
    assert output_of("there", "report.html") == LocalFile(Path("there/report.html"))
    assert output_of("new/", "report.html") == LocalFile(Path("new/report.html"))
    assert output_of("new/page.htm", "report.html") == LocalFile(Path("new/page.htm"))
    assert output_of(f"file://{tmp_path}/a%20b.html", "report.html") == LocalFile(tmp_path / "a b.html")
    for url in ("s3://web", "s3://web/", "s3://web/report.html"):
        stored = output_of(url, "report.html")
        assert isinstance(stored, StoredObject)
        assert (str(stored), stored.key) == ("s3://web/report.html", "report.html")
    assert str(output_of("s3://web/a/", "report.html")) == "s3://web/a/report.html"
    with pytest.raises(ConfigurationError, match="bucket"):
        output_of("s3://", "report.html")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="file"):
        output_of("file/report.html", "report.html")

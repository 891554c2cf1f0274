import tarfile

import numpy as np
import pytest
from PIL import Image

from config.errors import ConfigurationError
from models.data import decode, read_examples


def test_folder_and_tar_hold_the_same(pictures_folder, tmp_path):
    archive = tmp_path / "pictures.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(pictures_folder, ".")
    from_folder = read_examples([pictures_folder], pytest.fail)
    from_tar = read_examples([archive], pytest.fail)
    assert [each.label for each in from_folder] == ["disc"] * 6 + ["square"] * 6
    assert [each.encoded for each in from_folder] == [each.encoded for each in from_tar]
    assert decode(from_tar[0].encoded).shape == (60, 80, 3)


def test_several_data_sets_are_counted(pictures_folder):
    examples = read_examples([pictures_folder, pictures_folder], pytest.fail)
    assert [each.dataset for each in examples] == [0] * 12 + [1] * 12


def test_unreadable_pictures_are_named_and_skipped(tmp_path):
    (tmp_path / "cat").mkdir()
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "cat" / "good.png")
    (tmp_path / "cat" / "cut.png").write_bytes((tmp_path / "cat" / "good.png").read_bytes()[:40])
    (tmp_path / "cat" / "text.jpg").write_text("no picture", encoding="utf-8")
    (tmp_path / "cat" / "notes.txt").write_text("passed over", encoding="utf-8")
    (tmp_path / "loose.png").write_bytes(b"in no class folder: passed over")
    skipped = []
    assert [each.label for each in read_examples([tmp_path], skipped.append)] == ["cat"]
    assert sorted(line.split(":")[0] for line in skipped) == [
        f"{tmp_path.name}/cat/cut.png",
        f"{tmp_path.name}/cat/text.jpg",
    ]


def test_no_data_set_is_refused():
    with pytest.raises(ConfigurationError, match="no data set"):
        read_examples([], pytest.fail)


def test_missing_data_set_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"absent\.tar"):
        read_examples([tmp_path / "absent.tar"], pytest.fail)


def test_empty_folder_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=rf"{tmp_path.name}.*no readable picture"):
        read_examples([tmp_path], pytest.fail)


def test_file_that_is_no_tar_is_named(tmp_path):
    (tmp_path / "data.tar").write_bytes(b"not a tar")
    with pytest.raises(ConfigurationError, match=r"data\.tar"):
        read_examples([tmp_path / "data.tar"], pytest.fail)

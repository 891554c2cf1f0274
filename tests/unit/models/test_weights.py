import hashlib
import json
import shutil

import keras
import pytest

import models
from config.errors import ModelError
from models.weights import SHIPPED, record_path


def test_shipped_weights_are_the_recorded_ones(shipped):
    record = json.loads(record_path(SHIPPED).read_text(encoding="utf-8"))
    assert shipped.sha256 == record["sha256"] == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert list(shipped.classes) == record["classes"]


def test_shipped_weights_are_small():
    assert SHIPPED.stat().st_size <= 10e6


def test_shipped_record_says_nothing_about_the_machine_that_made_it():
    text = record_path(SHIPPED).read_text(encoding="utf-8")
    assert "/work" not in text
    assert "/tmp" not in text  # noqa: S108 - searched for, not used


@pytest.fixture
def copied(tmp_path, trained):
    result, _, _ = trained
    weights = tmp_path / "copied.keras"
    shutil.copy(result.weights, weights)
    shutil.copy(record_path(result.weights), record_path(weights))
    return weights


def test_missing_weights_are_named_with_the_expected_hash(copied):
    expected = json.loads(record_path(copied).read_text(encoding="utf-8"))["sha256"]
    copied.unlink()
    with pytest.raises(ModelError, match=rf"copied\.keras.*{expected}"):
        models.load(copied)


def test_other_weights_are_named_with_the_expected_hash(copied):
    expected = json.loads(record_path(copied).read_text(encoding="utf-8"))["sha256"]
    copied.write_bytes(copied.read_bytes() + b"x")
    with pytest.raises(ModelError, match=rf"copied\.keras.*{expected}"):
        models.load(copied)


def test_missing_weights_without_a_record_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"nothing\.keras"):
        models.load(tmp_path / "nothing.keras")


def test_damaged_record_is_named(copied):
    record_path(copied).write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match=r"copied\.json"):
        models.load(copied)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 half an archive"])
def test_corrupt_weights_without_a_record_are_named(tmp_path, content):
    (tmp_path / "corrupt.keras").write_bytes(content)
    with pytest.raises(ModelError, match=r"corrupt\.keras"):
        models.load(tmp_path / "corrupt.keras")


def test_another_kind_of_network_is_refused(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
    with pytest.raises(ModelError, match=r"other\.keras.*Sequential"):
        models.load(tmp_path / "other.keras")


def test_weights_without_a_record_can_be_loaded(copied):
    record_path(copied).unlink()
    assert models.load(copied).sha256 == hashlib.sha256(copied.read_bytes()).hexdigest()

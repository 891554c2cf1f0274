import functools
import json
import shutil
import warnings

import numpy as np
import pytest
from PIL import Image

import models
from config.errors import ConfigurationError
from models.trainer import Lesson
from models.training import _Run


def test_training_writes_a_network_that_loads(trained):
    result, lines, config = trained
    assert result.weights == config.output
    assert result.epochs == 1
    assert np.isfinite(result.validation_loss)
    model = models.load(result.weights)
    assert model.sha256 == result.sha256
    assert model.classes == ("disc", "square")
    assert model.importance(np.zeros((30, 40, 3), np.uint8)).shape == (96, 128)
    assert any(line.startswith("epoch 1/1  loss ") for line in lines)


def test_log_has_a_line_per_epoch(trained):
    _, _, config = trained
    lines = (config.workspace / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1]


@pytest.fixture
def uncompiled(monkeypatch):
    """Compiling takes longer than the few steps here."""
    monkeypatch.setattr(Lesson, "compile", functools.partialmethod(Lesson.compile, run_eagerly=True))


@pytest.mark.usefixtures("uncompiled")
def test_a_run_goes_on_from_its_checkpoint(tiny_config, tmp_path, trained):
    shutil.copytree(trained[2].workspace, tmp_path / "workspace")
    lines = []
    result = models.train(tiny_config(tmp_path, epochs=2), lines.append)
    assert "going on after epoch 1" in lines
    assert [line.split()[1] for line in lines if line.startswith("epoch")] == ["2/2"]
    assert result.epochs == 2


def test_a_finished_run_trains_no_more(trained):
    result, _, config = trained
    lines = []
    again = models.train(config, lines.append)
    assert not any(line.startswith("epoch") for line in lines)
    assert again.sha256 == result.sha256


def test_lost_weights_are_written_again_from_the_checkpoint(tiny_config, tmp_path, trained):
    config = tiny_config(tmp_path, workspace=trained[2].workspace)
    result = models.train(config, lambda _: None)
    assert models.load(config.output).sha256 == result.sha256


def test_diverging_training_is_reported(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(_Run, "_epoch", lambda *_: {"val_loss": float("nan"), "val_agreement": 0.5})
    with pytest.raises(ConfigurationError, match="learning_rate"):
        models.train(tiny_config(tmp_path), lambda _: None)


def test_checkpoint_of_another_network_is_refused(tiny_config, tmp_path, trained):
    config = tiny_config(tmp_path, channels=20, epochs=2, workspace=trained[2].workspace)
    with pytest.raises(ConfigurationError, match="another shape"):
        models.train(config, lambda _: None)


def test_damaged_checkpoint_is_named(tiny_config, tmp_path):
    config = tiny_config(tmp_path)
    config.workspace.mkdir()
    (config.workspace / "checkpoint.npz").write_bytes(b"PK\x03\x04 half")
    with pytest.raises(ConfigurationError, match=r"checkpoint\.npz"):
        models.train(config, lambda _: None)


def test_training_stops_when_nothing_gets_better(tiny_config, tmp_path, monkeypatch):
    losses = iter([1.0, 2.0, 0.5, 0.7, 0.6, 0.4])
    monkeypatch.setattr(_Run, "_epoch", lambda *_: {"val_loss": next(losses), "val_agreement": 0.5})
    result = models.train(tiny_config(tmp_path, epochs=9, patience=2), lambda _: None)
    assert (result.epochs, result.validation_loss) == (5, 0.5)


@pytest.mark.parametrize(
    "changes",
    [{"epochs": 0}, {"batch_size": 0}, {"patience": 0}, {"validation_share": 1.0}, {"widths": (16, 8, 16, 16)}],
)
def test_settings_out_of_range_are_named(tiny_config, tmp_path, changes):
    with pytest.raises(ConfigurationError, match=next(iter(changes))):
        tiny_config(tmp_path, **changes)


def test_output_must_be_a_keras_file(tiny_config, tmp_path):
    with pytest.raises(ConfigurationError, match="output"):
        tiny_config(tmp_path, output=tmp_path / "weights.h5")


def test_one_picture_is_too_few(tiny_config, tmp_path):
    (tmp_path / "data" / "cat").mkdir(parents=True)
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "data" / "cat" / "only.png")
    with pytest.raises(ConfigurationError, match="two pictures"):
        models.train(tiny_config(tmp_path, datasets=(tmp_path / "data",)), lambda _: None)


def test_background_alone_is_no_class(tiny_config, tmp_path):
    with pytest.raises(ConfigurationError, match="background"):
        models.train(tiny_config(tmp_path, background=("disc", "square")), lambda _: None)


@pytest.fixture(scope="module")
def teacher_path(tmp_path_factory):
    """A TFLite classifier of three classes with random weights."""
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    classifier = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(8, 3, strides=32, activation="relu", padding="same"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    function = tf.function(classifier, input_signature=[tf.TensorSpec((1, 32, 32, 3), tf.float32)])
    frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()
    folder = tmp_path_factory.mktemp("teacher")
    (folder / "teacher.tflite").write_bytes(content)
    (folder / "labels.txt").write_text("background\ndisc\nowl\n", encoding="utf-8")
    return folder / "teacher.tflite"


@pytest.mark.usefixtures("uncompiled")
def test_a_teacher_adds_its_classes_and_its_features(tiny_config, tmp_path, teacher_path):
    config = tiny_config(tmp_path, teacher=teacher_path)
    result = models.train(config, lambda _: None)
    assert models.load(result.weights).classes == ("disc", "owl", "square")
    figures = json.loads((config.workspace / "log.jsonl").read_text(encoding="utf-8"))
    assert figures["features"] > 0


def test_a_missing_teacher_is_named(tiny_config, tmp_path):
    with pytest.raises(ConfigurationError, match=r"absent\.tflite"):
        models.train(tiny_config(tmp_path, teacher=tmp_path / "absent.tflite"), lambda _: None)


def test_a_teacher_without_labels_is_named(tiny_config, tmp_path):
    (tmp_path / "teacher.tflite").write_bytes(b"nothing")
    with pytest.raises(ConfigurationError, match="labels"):
        models.train(tiny_config(tmp_path, teacher=tmp_path / "teacher.tflite"), lambda _: None)


def test_a_file_that_is_no_classifier_is_refused(tiny_config, tmp_path):
    (tmp_path / "teacher.tflite").write_bytes(b"nothing")
    (tmp_path / "labels.txt").write_text("one\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="not a TFLite"):
        models.train(tiny_config(tmp_path, teacher=tmp_path / "teacher.tflite"), lambda _: None)

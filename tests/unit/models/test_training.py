import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import models
from config.errors import ConfigurationError
from models.trainer import Lesson
from models.training import _network, _Run
from models.vgg import VGG16MSROI


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
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"patience": 0},
        {"validation_share": 1.0},
        {"widths": (16, 8, 16, 16)},
        {"precision": "float64"},
        {"architecture": "resnet"},
        {"vgg16_weights": Path("vgg16.h5")},
    ],
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


def lesson_batch(count=2, features=3):
    """Inputs and targets of one step, as the batches of a training give them."""
    random = np.random.default_rng(0)
    cells = (count, 8, 8, 1)
    inputs = {
        "picture": random.integers(0, 256, (count, 64, 64, 3)).astype(np.uint8),
        "barrier": np.zeros(cells, np.float32),
        "valid": np.ones(cells, np.float32),
    }
    targets = {
        "thing": random.random(cells, np.float32),
        "features": random.random((count, 4, 4, features), np.float32),
        "observed": np.ones((count, 4, 4, 1), np.float32),
        "classes": np.array([[0.9, 0]] * count, np.float32),
        "known": np.ones((count, 2), np.float32),
    }
    return inputs, targets


def test_the_paper_s_network_is_taught_classes_and_features():
    network = VGG16MSROI(["cat", "dog"], activation="sigmoid", width=0.5)
    lesson = Lesson(network, features=3)
    lesson.compile(optimizer="sgd", run_eagerly=True)
    before = [np.array(each) for each in network.get_weights()]
    figures = lesson.train_on_batch(*lesson_batch(), return_dict=True)
    assert figures["classes"] > 0
    assert figures["features"] > 0
    assert figures["thing"] == 0, "it has no thing map"
    assert figures["loss"] == pytest.approx(figures["classes"] + figures["features"], rel=1e-4)
    assert all((old != new).any() for old, new in zip(before, network.get_weights(), strict=True))


def test_where_nothing_is_known_nothing_is_taught(tiny_config, tmp_path):
    lesson = Lesson(_network(tiny_config(tmp_path), ("cat", "dog")), features=3)
    lesson.compile(optimizer="sgd", run_eagerly=True)
    inputs, targets = lesson_batch()
    figures = lesson.test_on_batch(
        inputs, {**targets, "known": 0 * targets["known"], "observed": 0 * targets["observed"]}, return_dict=True
    )
    assert (figures["classes"], figures["features"]) == (0, 0)
    assert figures["thing"] > 0
    assert figures["loss"] == pytest.approx(figures["thing"])


def test_the_paper_s_network_starts_from_vgg16_s_weights(tiny_config, tmp_path):
    import keras

    source = keras.applications.VGG16(weights=None, include_top=False)
    source.save_weights(tmp_path / "vgg16.weights.h5")
    config = tiny_config(tmp_path, architecture="vgg16", vgg16_weights=tmp_path / "vgg16.weights.h5")
    network = _network(config, ("cat", "dog"))
    assert network.activation == "sigmoid"
    for ours, theirs in (("conv1_1", "block1_conv1"), ("conv5_3", "block5_conv3")):
        np.testing.assert_array_equal(network.get_layer(ours).kernel, source.get_layer(theirs).kernel)


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_writes_float32(tiny_config, tmp_path, precision):
    import keras

    result = models.train(tiny_config(tmp_path, precision=precision), lambda _: None)
    assert np.isfinite(result.validation_loss)
    assert keras.config.dtype_policy().name == "float32"
    network = keras.saving.load_model(result.weights, compile=False)
    assert {each.dtype for each in network.weights} == {"float32"}
    assert {layer.compute_dtype for layer in network.layers} == {"float32"}

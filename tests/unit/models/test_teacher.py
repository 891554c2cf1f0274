import json
import warnings

import keras
import numpy as np
import pytest

import models
from config.errors import ConfigurationError
from models.teacher import Teacher


@pytest.fixture(scope="module")
def teacher_path(tmp_path_factory):
    """A TFLite classifier of three classes with random weights."""
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


def classifier(side=None):
    """A Keras classifier of three classes whose features are the colours of 32 × 32 squares."""
    inputs = keras.Input((side, side, 3))
    x = keras.layers.AveragePooling2D(32)(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Softmax()(x))


@pytest.fixture
def keras_teacher(tmp_path):
    classifier().save(tmp_path / "teacher.keras")
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n", encoding="utf-8")
    return tmp_path / "teacher.keras"


def test_a_keras_teacher_says_what_it_sees_where(keras_teacher):
    picture = np.zeros((128, 128, 3), np.uint8)
    picture[:, :64, 0] = picture[:, 64:, 2] = 255
    opinion = Teacher(keras_teacher).ask(picture, 128)
    assert opinion.features.shape == (4, 4, 3)
    np.testing.assert_allclose(opinion.features[0, 0], [1, 0, 0], atol=1e-5)
    np.testing.assert_allclose(opinion.features[0, 3], [0, 0, 1], atol=1e-5)
    assert opinion.scores[0] == pytest.approx(opinion.scores[2])
    assert opinion.scores[0] > opinion.scores[1]


def test_a_tflite_teacher_has_features_as_fine_as_it_sees(teacher_path):
    teacher = Teacher(teacher_path)
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    assert teacher.ask(picture, 64).features.shape == (2, 2, 8)
    assert teacher.ask(picture, 320).features.shape == (10, 10, 8)
    assert teacher.ask(picture, 64).scores.sum() == pytest.approx(1, abs=1e-4)


def test_a_keras_teacher_of_one_size_is_refused(keras_teacher):
    classifier(224).save(keras_teacher)
    with pytest.raises(ConfigurationError, match="any size"):
        Teacher(keras_teacher)


def test_a_keras_network_without_a_mean_over_positions_is_refused(keras_teacher):
    keras.Sequential([keras.Input((None, None, 3)), keras.layers.GlobalMaxPooling2D()]).save(keras_teacher)
    with pytest.raises(ConfigurationError, match="no mean over the positions"):
        Teacher(keras_teacher)


def test_labels_must_fit_the_teacher(keras_teacher):
    (keras_teacher.parent / "labels.txt").write_text("one\ntwo\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="3 scores, 2 labels"):
        Teacher(keras_teacher)


def test_a_damaged_keras_teacher_is_named(keras_teacher):
    keras_teacher.write_bytes(b"PK half")
    with pytest.raises(ConfigurationError, match=r"teacher\.keras"):
        Teacher(keras_teacher)

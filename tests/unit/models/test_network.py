import keras
import numpy as np
import pytest
from keras import ops

from models.heads import BorderContrast, ClassActivationHead
from models.network import MSROI


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def enlarged(plane):
    """Linear interpolation at twice as many places each way, the border's values going on beyond it."""
    for axis in (0, 1):
        count = plane.shape[axis]
        places = (np.arange(2 * count) + 0.5) / 2 - 0.5
        plane = np.apply_along_axis(lambda line, at=places: np.interp(at, np.arange(len(line)), line), axis, plane)
    return plane


def halved(plane):
    height, width = plane.shape
    return plane.reshape(height // 2, 2, width // 2, 2).mean((1, 3))


def map_in_plain_numpy(features, thing, valid, kernel, bias, top, threshold, share):  # noqa: PLR0913, PLR0917 - as in the layer
    """Return logits and map of one picture, class by class, as the docstring of the layer says."""
    weights = halved((thing + 1e-3) * valid)
    evidence = {c: features @ kernel[c] + bias[c] for c in range(len(bias))}
    logits = np.array([(evidence[c] * weights).sum() / weights.sum() for c in evidence])
    total, summed = 0.0, np.zeros(features.shape[:2])
    for rank, c in enumerate(np.argsort(-logits)[:top]):
        if sigmoid(logits[c]) > threshold:
            activation = sigmoid(evidence[c]) * (halved(valid) > 0)
            summed += (top - rank) * activation / activation.max()
            total += top - rank
    factor = 1 - share + share * summed / total if total else np.ones_like(summed)
    found = thing * enlarged(factor) * valid
    return logits, found


@pytest.mark.parametrize(("offset", "count"), [(-2.0, 3), (0.0, 3), (4.0, 3), (4.0, 9)])
def test_map_is_the_rank_weighted_sum_of_the_classes_that_count(offset, count):
    random = np.random.default_rng(3)
    head = ClassActivationHead(classes=6, top=count, threshold=0.5, share=0.4)
    features = random.normal(size=(2, 4, 6, 5)).astype(np.float32)
    thing = random.uniform(size=(2, 8, 12, 1)).astype(np.float32)
    valid = np.ones((2, 8, 12, 1), np.float32)
    valid[1, 5:] = 0
    head.build([features.shape, thing.shape, valid.shape])
    kernel, bias = random.normal(size=(6, 5)), random.normal(size=6) + offset
    head.set_weights([kernel, bias])
    logits, found = (np.asarray(each) for each in head([features, thing, valid]))
    for index in range(2):
        expected = map_in_plain_numpy(
            features[index],
            thing[index, ..., 0],
            valid[index, ..., 0],
            kernel,
            bias,
            min(count, 6),
            0.5,
            0.4,
        )
        np.testing.assert_allclose(logits[index], expected[0], atol=1e-4)
        np.testing.assert_allclose(found[index], expected[1], atol=1e-4)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(5)
    return MSROI(["cat", "dog"], widths=(16, 16, 16, 16), blocks=(1, 1, 1, 1), channels=16, threshold=0.0)


def inputs(side, dtype=np.float32):
    random = np.random.default_rng(side)
    cells = np.ones((1, side // 8, side // 8, 1), np.float32)
    picture = random.integers(0, 256, (1, side, side, 3)).astype(dtype)
    return {"picture": picture, "barrier": cells * 0.5, "valid": cells}


def contrast_oracle(features, valid, slope):
    """The layer's formula for one picture, cell by cell."""
    rows, columns = valid.shape
    inside = np.pad(valid, 1)
    border = [
        (row, column)
        for row in range(rows)
        for column in range(columns)
        if valid[row, column] and not inside[row : row + 3, column : column + 3].all()
    ]
    unit = features / np.linalg.norm(features, axis=-1, keepdims=True)
    cosines = np.stack([unit @ unit[place] for place in border])
    return 1 - np.log(np.mean(np.exp(slope * cosines), axis=0)) / slope


@pytest.mark.parametrize(("rows", "columns"), [(6, 6), (4, 6), (6, 1), (2, 2)])
def test_contrast_to_the_border_is_that_of_the_formula(rows, columns):
    random = np.random.default_rng(rows)
    features = random.normal(size=(2, 6, 6, 5)).astype(np.float32)
    valid = np.zeros((2, 6, 6, 1), np.float32)
    valid[0, :rows, :columns] = valid[1] = 1
    found = ops.convert_to_numpy(BorderContrast(slope=4.0)([features, valid]))
    first = contrast_oracle(features[0, :rows, :columns], valid[0, :rows, :columns, 0], 4.0)
    np.testing.assert_allclose(found[0, :rows, :columns, 0], first, atol=1e-4)
    np.testing.assert_allclose(found[1, ..., 0], contrast_oracle(features[1], valid[1, ..., 0], 4.0), atol=1e-4)


@pytest.mark.parametrize("side", [32, 64, 96])
def test_network_is_fully_convolutional(network, side):
    outputs = network.predict_on_batch(inputs(side))
    assert outputs["map"].shape == (1, side // 8, side // 8)
    assert outputs["scores"].shape == (1, 2)
    assert 0 <= outputs["map"].min() <= outputs["map"].max() <= 1


def test_integers_and_floats_are_the_same_picture(network):
    first = network.predict_on_batch(inputs(64, np.uint8))
    second = network.predict_on_batch(inputs(64, np.float32))
    np.testing.assert_array_equal(first["map"], second["map"])


def test_nothing_is_random_at_inference(network):
    first, second = (network.predict_on_batch(inputs(64)) for _ in range(2))
    np.testing.assert_array_equal(first["map"], second["map"])


def test_saved_network_reloads_without_being_told_its_class(network, tmp_path):
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", compile=False)
    assert isinstance(again, MSROI)
    assert again.get_config() == network.get_config()
    np.testing.assert_array_equal(
        again.predict_on_batch(inputs(64))["map"], network.predict_on_batch(inputs(64))["map"]
    )

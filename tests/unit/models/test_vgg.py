import keras
import numpy as np
import pytest
import skimage.data

from models.importance import ImportanceModel
from models.prepared import prepare
from models.vgg import CONVOLUTIONS, VGG16MSROI, ClassLogits, FoldedMaps

NARROW = 1 / 16


def enlarged_in_plain_numpy(plane):
    """Bilinear, twofold; a sample beyond the outermost centres takes the outermost value."""
    height, width = plane.shape
    result = np.empty((2 * height, 2 * width))
    for row in range(2 * height):
        for column in range(2 * width):
            y, x = (np.clip((at + 0.5) / 2 - 0.5, 0, end - 1) for at, end in ((row, height), (column, width)))
            top, left = int(y), int(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            upper = plane[top, left] * (1 - x + left) + plane[top, right] * (x - left)
            lower = plane[bottom, left] * (1 - x + left) + plane[bottom, right] * (x - left)
            result[row, column] = upper * (1 - y + top) + lower * (y - top)
    return result


def stretched(plane):
    return (plane - plane.min()) / (plane.max() - plane.min())


def fold_in_plain_numpy(maps, logits, rows, columns):
    """Return the map of one picture that fills so many cells, class by class, as the authors' program does."""
    inside = maps[: -(-rows // 2), : -(-columns // 2)]
    found = None
    for index in np.argsort(logits)[-5:]:
        activation = stretched(enlarged_in_plain_numpy(inside[..., index])[:rows, :columns])
        found = 1.2 * activation if found is None else (found + activation) / 2
    return stretched(found)


@pytest.mark.parametrize("classes", [1, 2, 4, 5, 9])
@pytest.mark.parametrize(("rows", "columns"), [(8, 12), (5, 12), (8, 7), (3, 2)])
def test_map_is_folded_from_the_five_best_classes(classes, rows, columns):
    random = np.random.default_rng(classes)
    maps = random.normal(3, 1, (2, 4, 6, classes)).astype(np.float32)
    logits = random.normal(size=(2, classes)).astype(np.float32)
    valid = np.ones((2, 8, 12, 1), np.float32)
    valid[1, rows:] = 0
    valid[1, :, columns:] = 0
    found = np.asarray(FoldedMaps()([maps, logits, valid]))
    np.testing.assert_allclose(found[0], fold_in_plain_numpy(maps[0], logits[0], 8, 12), atol=1e-5)
    expected = np.zeros((8, 12))
    expected[:rows, :columns] = fold_in_plain_numpy(maps[1], logits[1], rows, columns)
    np.testing.assert_allclose(found[1], expected, atol=1e-5)


def test_weights_halve_from_class_to_class():
    maps = np.zeros((1, 11, 11, 5), np.float32)
    for rank in range(5):
        maps[0, 2 * rank + 1, 2 * rank + 1, rank] = 1
    best_first = np.array([[5, 4, 3, 2, 1]], np.float32)
    found = np.asarray(FoldedMaps()([maps, best_first, np.ones((1, 22, 22, 1), np.float32)]))[0]
    peaks = [found[4 * rank + 2, 4 * rank + 2] for rank in range(5)]
    np.testing.assert_allclose(peaks, [1, 1 / 2, 1 / 4, 1 / 8, 1.2 / 8], rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, 7.3, -1e4])
def test_flat_maps_make_an_empty_one(value):
    maps = np.full((1, 4, 4, 3), value, np.float32)
    maps[0, 0, 0] *= 1 + 3e-7
    found = np.asarray(FoldedMaps()([maps, np.zeros((1, 3), np.float32), np.ones((1, 8, 8, 1), np.float32)]))
    np.testing.assert_array_equal(found, 0)


def test_a_small_difference_is_stretched_all_the_same():
    maps = np.full((1, 4, 4, 1), 1e-9, np.float32)
    maps[0, 1, 1] = 2e-9
    found = np.asarray(FoldedMaps()([maps, np.zeros((1, 1), np.float32), np.ones((1, 8, 8, 1), np.float32)]))
    assert (found.min(), found.max()) == (0, 1)


@pytest.mark.parametrize("biased", [False, True])
def test_logit_is_the_mean_over_the_picture(biased):
    random = np.random.default_rng(1)
    maps = random.normal(size=(1, 4, 6, 3)).astype(np.float32)
    valid = np.zeros((1, 8, 12, 1), np.float32)
    valid[:, :5, :8] = 1
    weights = np.array([1, 1, 0.5, 0])[:, None] * np.array([1, 1, 1, 1, 0, 0])
    expected = (maps[0] * weights[..., None]).sum((0, 1)) / weights.sum() - 5 * biased
    np.testing.assert_allclose(ClassLogits(biased=biased)([maps, valid])[0], expected, atol=1e-5)


def inputs(height, width, count=1, dtype=np.float32):
    random = np.random.default_rng(height + width)
    cells = np.ones((count, height // 8, width // 8, 1), np.float32)
    picture = random.integers(0, 256, (count, height, width, 3)).astype(dtype)
    return {"picture": picture, "barrier": cells * 0.5, "valid": cells}


@pytest.fixture(scope="module", params=["softmax", "sigmoid"])
def network(request):
    keras.utils.set_random_seed(5)
    return VGG16MSROI([f"class {index}" for index in range(9)], activation=request.param, width=NARROW)


@pytest.fixture(scope="module")
def paper():
    """The network as the paper has it."""
    return VGG16MSROI([str(index) for index in range(257)])


def test_layers_are_those_of_the_authors_checkpoint(paper):
    channels = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    names = ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3", "5_1", "5_2", "5_3"]
    expected = {
        f"conv{name}": [(3, 3, before, after), (after,)]
        for name, before, after in zip(names, channels, channels[1:], strict=False)
    }
    assert list(expected) == list(CONVOLUTIONS)
    expected["conv6_1"] = [(3, 3, 512, 32), (32,)]
    expected["depth"] = [(3, 3, 32, 32), (1024,)]
    expected["conv6"] = [(3, 3, 1024, 1024), (1024,)]
    expected["GAP"] = [(1024, 257)]
    assert {
        layer.name: [tuple(each.shape) for each in layer.weights] for layer in paper.layers if layer.weights
    } == expected


def test_only_the_last_layers_are_linear(network):
    names = [*CONVOLUTIONS, "conv6_1", "depth", "conv6"]
    seen = keras.Model(network.inputs, [network.get_layer(name).output for name in names])
    lowest = {name: each.min() for name, each in zip(names, seen.predict_on_batch(inputs(64, 64)), strict=True)}
    assert {name for name in names if lowest[name] < 0} == {"conv6_1", "depth", "conv6"}


def test_the_first_convolution_sees_blue_green_red_less_the_mean():
    network = VGG16MSROI(["thing"], width=3 / 64)
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    kernel[1, 1] = np.eye(3)
    network.get_layer("conv1_1").set_weights([kernel, np.zeros(3, np.float32)])
    given = inputs(16, 16)
    given["picture"][...] = [200, 150, 250]
    seen = keras.Model(network.inputs, network.get_layer("conv1_1").output).predict_on_batch(given)
    np.testing.assert_allclose(seen[0, 7, 7], [250 - 103.939, 150 - 116.779, 200 - 123.68], rtol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(16, 32), (48, 48), (16, 96), (256, 256), (80, 32)])
def test_network_is_fully_convolutional(network, height, width):
    outputs = network.predict_on_batch(inputs(height, width))
    assert outputs["map"].shape == (1, height // 8, width // 8)
    assert outputs["map"].dtype == outputs["scores"].dtype == np.float32
    assert outputs["scores"].shape == (1, 9)
    assert (outputs["map"].min(), outputs["map"].max()) == pytest.approx((0, 1))


def test_one_cell_of_features_makes_an_empty_map(network):
    found = network.predict_on_batch(inputs(16, 16))["map"]
    np.testing.assert_array_equal(found, np.zeros((1, 2, 2)))


def test_integers_and_floats_are_the_same_picture(network):
    first = network.predict_on_batch(inputs(64, 64, dtype=np.uint8))
    second = network.predict_on_batch(inputs(64, 64, dtype=np.float32))
    np.testing.assert_array_equal(first["map"], second["map"])


def test_scores_are_made_of_the_logits(network):
    given = inputs(48, 64, count=2)
    outputs = keras.Model(network.inputs, [network.taught["logits"], network.output]).predict_on_batch(given)
    raised = np.exp(outputs[0].astype(float))
    expected = raised / raised.sum(1, keepdims=True) if network.activation == "softmax" else raised / (1 + raised)
    np.testing.assert_allclose(outputs[1]["scores"], expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("rows", "columns"), [(4, 8), (8, 4), (6, 2), (2, 2)])
@pytest.mark.parametrize("beside", [0, 255, None])
def test_padding_does_not_matter(network, rows, columns, beside):
    alone = inputs(8 * rows, 8 * columns)
    given = inputs(96, 80)
    if beside is not None:
        given["picture"][...] = beside
    given["picture"][:, : 8 * rows, : 8 * columns] = alone["picture"]
    given["valid"][:, rows:] = 0
    given["valid"][:, :, columns:] = 0
    found, expected = network.predict_on_batch(given), network.predict_on_batch(alone)
    np.testing.assert_allclose(found["scores"], expected["scores"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["map"][:, :rows, :columns], expected["map"], atol=1e-4)
    assert not found["map"][:, rows:].any()
    assert not found["map"][:, :, columns:].any()


def test_an_odd_number_of_cells_does_not_see_the_padding_either(network):
    first, second = inputs(64, 64), inputs(64, 64)
    for given in (first, second):
        given["valid"][:, 5:] = 0
    second["picture"][:, 40:] = 0
    np.testing.assert_array_equal(network.predict_on_batch(first)["map"], network.predict_on_batch(second)["map"])


def test_boundary_connectivity_is_not_used(network):
    first, second = inputs(64, 64), inputs(64, 64)
    second["barrier"][:, :4] = 1
    np.testing.assert_array_equal(network.predict_on_batch(first)["map"], network.predict_on_batch(second)["map"])


def test_a_picture_has_the_same_outputs_in_any_company(network):
    together = inputs(64, 96, count=5)
    outputs = network.predict_on_batch(together)
    for index in range(5):
        alone = network.predict_on_batch({name: each[index : index + 1] for name, each in together.items()})
        for name in ("map", "scores"):
            np.testing.assert_allclose(outputs[name][index], alone[name][0], atol=1e-4)


@pytest.mark.parametrize("value", [0, 124, 255])
def test_a_flat_picture_has_finite_outputs(network, value):
    given = inputs(64, 64)
    given["picture"][...] = value
    outputs = network.predict_on_batch(given)
    assert np.isfinite(outputs["map"]).all()
    assert np.isfinite(outputs["scores"]).all()


def test_a_network_that_sees_nothing_makes_an_empty_map():
    network = VGG16MSROI(["thing", "other"], width=NARROW)
    network.get_layer("conv6").set_weights([np.zeros_like(each) for each in network.get_layer("conv6").get_weights()])
    outputs = network.predict_on_batch(inputs(64, 64))
    assert not outputs["map"].any()
    np.testing.assert_allclose(outputs["scores"], 0.5)


def test_saved_network_reloads_without_being_told_its_class(network, tmp_path):
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", compile=False)
    assert isinstance(again, VGG16MSROI)
    assert again.get_config() == network.get_config()
    assert again.classes == network.classes
    np.testing.assert_array_equal(
        again.predict_on_batch(inputs(64, 64))["map"], network.predict_on_batch(inputs(64, 64))["map"]
    )


def test_network_makes_maps_of_pictures_as_the_other_one_does(network):
    model = ImportanceModel(network, "")
    prepared = prepare(skimage.data.coffee())
    found = model.maps([prepared] * 3)[2]
    assert (found[:22].min(), found[:22].max()) == pytest.approx((0, 1))
    assert list(model.scores(prepared).values()) == sorted(model.scores(prepared).values(), reverse=True)


def test_another_activation_is_refused():
    with pytest.raises(ValueError, match="activation: expected softmax or sigmoid, got relu"):
        VGG16MSROI(["thing"], activation="relu")

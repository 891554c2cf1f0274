import hashlib
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from config.errors import ConfigurationError, ModelError
from models.imported import convert_checkpoint, load_vgg16
from models.vgg import CONVOLUTIONS, VGG16MSROI
from models.weights import record_path, verify

NARROW = 1 / 16
LAYERS = (*CONVOLUTIONS, "conv6_1", "depth", "conv6", "GAP")


def picture(height, width):
    return np.random.default_rng(height).integers(0, 256, (1, height, width, 3)).astype(np.float32)


def inputs(given):
    cells = np.ones((1, given.shape[1] // 8, given.shape[2] // 8, 1), np.float32)
    return {"picture": given, "barrier": cells, "valid": cells}


def keras_name(name):
    return f"block{name[4]}_conv{name[6]}"


# === VGG16 ===


@pytest.fixture(scope="module")
def vgg():
    """VGG16 as Keras has it, with weights of our own, biases included."""
    network = keras.applications.VGG16(weights=None, include_top=False)
    random = np.random.default_rng(2)
    for layer in network.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, random.normal(0, 0.1, bias.shape)])
    return network


@pytest.fixture(scope="module")
def network():
    """The paper's network, whose weights each test overwrites."""
    return VGG16MSROI(["thing", "other"])


def write_legacy(path, layers, *, kernel="{0}_W_1:0", bias="{0}_b_1:0", below=""):
    """Write the layout of Keras 1 and 2: a group per layer, with the names of its arrays as an attribute."""
    with h5py.File(path, "w") as file:
        root = file.require_group(below) if below else file
        root.attrs["layer_names"] = [name.encode() for name in ("input_1", *layers)]
        root.create_group("input_1").attrs["weight_names"] = []
        for name, arrays in layers.items():
            group = root.create_group(name)
            names = [each.format(name) for each in (kernel, bias)]
            group.attrs["weight_names"] = [each.encode() for each in names]
            for each, array in zip(names, arrays, strict=True):
                group.create_dataset(each, data=array)
        if below:
            file.create_dataset("optimizer_weights/Adam/block1_conv1/kernel/m:0", data=np.zeros((3, 3, 3, 64)))


def write_vgg(vgg, path, layout):
    layers = {layer.name: layer.get_weights() for layer in vgg.layers if layer.weights}
    if layout == "first":
        write_legacy(path / "vgg.h5", layers)
        return path / "vgg.h5"
    if layout == "second, with the dense layers, whole model":
        layers |= {"fc1": [np.zeros((8, 4)), np.zeros(4)], "predictions": [np.zeros((4, 2)), np.zeros(2)]}
        write_legacy(path / "vgg.h5", layers, kernel="{0}/kernel:0", bias="{0}/bias:0", below="model_weights")
        return path / "vgg.h5"
    if layout == ".weights.h5":
        vgg.save_weights(path / "vgg.weights.h5")
        return path / "vgg.weights.h5"
    vgg.save(path / "vgg.keras")
    return path / "vgg.keras"


@pytest.mark.parametrize("layout", ["first", "second, with the dense layers, whole model", ".weights.h5", ".keras"])
def test_vgg16_s_weights_make_vgg16_s_features(vgg, network, tmp_path, layout):
    added = [np.array(each) for name in LAYERS[13:] for each in network.get_layer(name).get_weights()]
    load_vgg16(network, write_vgg(vgg, tmp_path, layout))
    given = picture(64, 96)
    theirs = keras.Model(vgg.inputs, vgg.get_layer("block5_conv3").output)
    ours = keras.Model(network.inputs, network.get_layer("conv5_3").output)
    expected = theirs.predict_on_batch(keras.applications.vgg16.preprocess_input(given.copy()))
    found = ours.predict_on_batch(inputs(given))
    assert expected.max() > 0
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * expected.max())
    kept = [each for name in LAYERS[13:] for each in network.get_layer(name).get_weights()]
    assert all(np.array_equal(*pair) for pair in zip(added, kept, strict=True))
    for each in network.layers:
        if each.name in CONVOLUTIONS:
            each.set_weights([np.zeros_like(array) for array in each.get_weights()])


@pytest.fixture
def narrow():
    """The paper's network with a sixteenth of its channels, and weights that fit it."""
    network = VGG16MSROI(["thing"], width=NARROW)
    layers = {keras_name(name): network.get_layer(name).get_weights() for name in CONVOLUTIONS}
    return network, layers


def test_a_missing_layer_is_named(narrow, tmp_path):
    network, layers = narrow
    del layers["block4_conv2"]
    write_legacy(tmp_path / "vgg.h5", layers)
    with pytest.raises(ModelError, match=r"vgg\.h5: block4_conv2 has 0 arrays, expected 2"):
        load_vgg16(network, tmp_path / "vgg.h5")


@pytest.mark.parametrize(
    ("part", "shape", "told"),
    [
        (0, (3, 3, 8, 9), r"block2_conv2/kernel has shape \[3, 3, 8, 9\], expected \[3, 3, 8, 8\]"),
        (1, (7,), r"block2_conv2/bias has shape \[7\], expected \[8\]"),
    ],
)
def test_a_wrong_shape_is_named_and_nothing_changed(narrow, tmp_path, part, shape, told):
    network, layers = narrow
    before = network.get_layer("conv1_1").get_weights()
    layers["block1_conv1"] = [each + 1 for each in before]
    layers["block2_conv2"][part] = np.zeros(shape)
    write_legacy(tmp_path / "vgg.h5", layers)
    with pytest.raises(ModelError, match=told):
        load_vgg16(network, tmp_path / "vgg.h5")
    np.testing.assert_array_equal(network.get_layer("conv1_1").get_weights()[0], before[0])


def test_files_that_hold_no_weights_are_named(narrow, tmp_path):
    (tmp_path / "text.h5").write_text("no weights")
    with zipfile.ZipFile(tmp_path / "archive.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    for name in ("text.h5", "archive.keras", "nothing.h5"):
        with pytest.raises(ModelError, match=rf"{name}: cannot be read"):
            load_vgg16(narrow[0], tmp_path / name)


# === The authors' checkpoint ===


def authors_variables(classes, random):
    """Return the variables of a narrow network as the authors' program names them, and some of its optimiser."""
    network = VGG16MSROI([""] * classes, width=NARROW)
    named = {}
    for name in LAYERS:
        for kind, each in zip("Wb", network.get_layer(name).weights, strict=False):
            fan = max(1, np.prod(each.shape[:-1]))
            named[f"{name}/{kind}"] = random.normal(0, 1.4 / np.sqrt(fan), each.shape).astype(np.float32)
    extra = {"conv1_1/W/Adam": named["conv1_1/W"] + 1, "fc6/W": np.ones((2, 2), np.float32), "beta1": np.float32(0.9)}
    return named, extra


def write_checkpoint(path, variables, version=2):
    names, values = list(variables), list(variables.values())
    if version == 1:
        tf.raw_ops.Save(filename=str(path), tensor_names=names, data=values)
    else:
        tf.raw_ops.SaveV2(prefix=str(path), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)


def authors_forward(variables, given):
    """Return logits and map of one picture by TensorFlow's own operations, the dropout at its expectation."""

    def layer(x, name, operation):
        return operation(x, variables[f"{name}/W"], [1, 1, 1, 1], "SAME") + variables[f"{name}/b"]

    x = tf.constant(given[..., ::-1] - np.array([103.939, 116.779, 123.68]), tf.float32)
    for name in CONVOLUTIONS:
        if name.endswith("_1") and name != "conv1_1":
            x = tf.nn.max_pool2d(x, 2, 2, "SAME")
        x = tf.nn.relu(layer(x, name, tf.nn.conv2d))
    x = layer(layer(x, "conv6_1", tf.nn.conv2d), "depth", tf.nn.depthwise_conv2d)
    x = layer(x, "conv6", tf.nn.conv2d)
    logits = tf.matmul(tf.reduce_mean(x, (1, 2)), variables["GAP/W"]).numpy()[0]
    large = tf.image.resize(x, (x.shape[1] * 2, x.shape[2] * 2)).numpy()[0]
    found = None
    for index in np.argsort(logits)[-5:]:
        activation = large @ variables["GAP/W"][:, index]
        activation = (activation - activation.min()) / (activation.max() - activation.min())
        found = 1.2 * activation if found is None else (found + activation) / 2
    return logits, (found - found.min()) / (found.max() - found.min())


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("classes", [3, 11])
def test_a_checkpoint_makes_the_authors_map(tmp_path, version, classes):
    variables, extra = authors_variables(classes, np.random.default_rng(classes))
    write_checkpoint(tmp_path / "model-50", variables | extra, version)
    convert_checkpoint(tmp_path / "model-50", tmp_path / "paper.keras", width=NARROW)
    network = keras.saving.load_model(tmp_path / "paper.keras", compile=False)
    for name in LAYERS:
        for kind, each in zip("Wb", network.get_layer(name).get_weights(), strict=False):
            np.testing.assert_array_equal(each, variables[f"{name}/{kind}"])
    given = picture(64, 96)
    outputs = network.predict_on_batch(inputs(given))
    logits, expected = authors_forward(variables, given)
    raised = np.exp(logits - logits.max())
    np.testing.assert_allclose(outputs["scores"][0], raised / raised.sum(), atol=1e-4)
    np.testing.assert_allclose(outputs["map"][0], expected, atol=1e-3)


@pytest.fixture
def checkpoint(tmp_path):
    """A sound checkpoint of three classes, and what it holds."""
    variables, _ = authors_variables(3, np.random.default_rng(0))
    write_checkpoint(tmp_path / "model-50", variables)
    return tmp_path / "model-50", variables


def test_the_record_beside_the_weights_names_their_hash_and_their_classes(checkpoint, tmp_path):
    (tmp_path / "labels.txt").write_text("ak47\namerican-flag\n\nbackpack\n")
    output = tmp_path / "new" / "paper.keras"
    sha256 = convert_checkpoint(checkpoint[0], output, tmp_path / "labels.txt", NARROW)
    record = json.loads(record_path(output).read_text(encoding="utf-8"))
    assert sha256 == verify(output) == record["sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()
    assert record["classes"] == ["ak47", "american-flag", "backpack"]
    assert record["converted_from"] == "model-50"
    assert keras.saving.load_model(output, compile=False).classes == ("ak47", "american-flag", "backpack")
    assert sorted(each.name for each in output.parent.iterdir()) == ["paper.json", "paper.keras"]


@pytest.mark.parametrize("name", ["model-50.index", "model-50.data-00000-of-00001", "model-50.meta", ""])
def test_a_checkpoint_can_be_named_by_one_of_its_files(checkpoint, tmp_path, name):
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model-50"\n')
    convert_checkpoint(tmp_path / name, tmp_path / "paper.keras", width=NARROW)
    network = keras.saving.load_model(tmp_path / "paper.keras", compile=False)
    assert network.classes == ("class 0", "class 1", "class 2")
    np.testing.assert_array_equal(network.get_layer("GAP").get_weights()[0], checkpoint[1]["GAP/W"])


@pytest.mark.parametrize(
    ("name", "shape", "told"),
    [
        ("conv3_2/b", None, r"conv3_2/b is missing, expected one of shape \[16\]"),
        ("GAP/W", None, r"GAP/W is missing, expected one of shape \[channels, classes\]"),
        ("depth/W", (3, 3, 2, 31), r"depth/W has shape \[3, 3, 2, 31\], expected \[3, 3, 2, 32\]"),
        ("GAP/W", (63, 3), r"GAP/W has shape \[63, 3\], expected \[64, 3\]"),
        ("GAP/W", (64,), r"GAP/W has shape \[64\], expected \[channels, classes\]"),
    ],
)
def test_a_missing_or_wrong_variable_is_named(checkpoint, tmp_path, name, shape, told):
    variables = dict(checkpoint[1])
    del variables[name]
    if shape:
        variables[name] = np.zeros(shape, np.float32)
    write_checkpoint(tmp_path / "bad", variables)
    with pytest.raises(ModelError, match=rf"bad: {told}"):
        convert_checkpoint(tmp_path / "bad", tmp_path / "paper.keras", width=NARROW)
    assert not (tmp_path / "paper.keras").exists()


def test_checkpoints_that_cannot_be_read_are_named(checkpoint, tmp_path):
    index, data = (checkpoint[0].with_name(f"model-50.{end}").read_bytes() for end in ("index", "data-00000-of-00001"))
    (tmp_path / "text").write_text("no checkpoint" * 100)
    (tmp_path / "short.index").write_bytes(index)
    (tmp_path / "short.data-00000-of-00001").write_bytes(data[: len(data) // 2])
    (tmp_path / "alone.index").write_bytes(index)
    (tmp_path / "empty").mkdir()
    for name in ("text", "short", "alone", "empty", "nothing"):
        with pytest.raises(ModelError, match=rf"{name}: .*cannot be read"):
            convert_checkpoint(tmp_path / name, tmp_path / "paper.keras", width=NARROW)


def test_labels_must_name_every_class(checkpoint, tmp_path):
    (tmp_path / "few.txt").write_text("ak47\nbackpack\n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n" * 3)
    for name, told in [
        ("few.txt", "names 2 classes, the checkpoint has 3"),
        ("latin.txt", "cannot be read"),
        ("nothing.txt", "cannot be read"),
    ]:
        with pytest.raises(ConfigurationError, match=rf"{name}: {told}"):
            convert_checkpoint(checkpoint[0], tmp_path / "paper.keras", tmp_path / name, NARROW)


def test_another_ending_is_refused(checkpoint, tmp_path):
    with pytest.raises(ConfigurationError, match=r"output: must end in \.keras, got .*paper\.h5"):
        convert_checkpoint(checkpoint[0], tmp_path / "paper.h5", width=NARROW)

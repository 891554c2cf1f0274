import numpy as np

from models.data import Example
from models.labels import label_examples


def examples(*pairs):
    return [Example(f"{dataset}/{label}", label, dataset, b"") for dataset, label in pairs]


def test_classes_are_those_of_the_folders():
    labels = label_examples(
        examples((0, "cat"), (0, "ape"), (0, "clutter")), (), np.zeros((3, 0), np.float16), {"clutter"}, 1
    )
    assert labels.classes == ("ape", "cat")
    assert labels.folders.tolist() == [1, 0, -1]
    np.testing.assert_allclose(labels.targets, [[0, 0.9], [0.9, 0], [0, 0]], atol=1e-3)
    assert labels.known.all()


def test_a_data_set_says_nothing_about_another_s_classes():
    labels = label_examples(examples((0, "cat"), (1, "oak")), (), np.zeros((2, 0), np.float16), (), 1)
    assert labels.classes == ("cat", "oak")
    assert labels.known.tolist() == [[True, False], [False, True]]


def test_teacher_speaks_about_every_picture_and_shares_names_with_folders():
    scores = np.array([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]], np.float16)
    labels = label_examples(examples((0, "cat"), (0, "oak")), ("background", "dog", "cat"), scores, (), 1)
    assert labels.classes == ("dog", "cat", "oak")
    np.testing.assert_allclose(labels.targets, [[0.25, 0.9, 0], [0, 1, 0.9]], atol=1e-3)
    assert labels.known.all()


def test_small_folders_name_no_class():
    labels = label_examples(examples((0, "cat"), (0, "cat"), (0, "oak")), (), np.zeros((3, 0), np.float16), (), 2)
    assert labels.classes == ("cat",)
    assert labels.folders.tolist() == [0, 0, -1]


def test_pictures_seen_together_show_the_classes_of_each():
    labels = label_examples(examples((0, "cat"), (0, "ape"), (1, "oak")), (), np.zeros((3, 0), np.float16), (), 1)
    assert labels.classes == ("ape", "cat", "oak")
    targets, known = labels.told([0, 1])
    np.testing.assert_allclose(targets, [0.9, 0.9, 0], atol=1e-3)
    assert known.tolist() == [1, 1, 0]
    targets, known = labels.told([0, 2])
    np.testing.assert_allclose(targets, [0, 0.9, 0.9], atol=1e-3)
    assert known.tolist() == [0, 1, 1], "whether the oak's picture shows an ape is not known"


def test_nothing_is_known_where_no_picture_is_seen():
    labels = label_examples(examples((0, "cat"), (0, "ape")), (), np.zeros((2, 0), np.float16), (), 1)
    targets, known = labels.told([])
    assert not targets.any()
    assert not known.any()

"""From folder names and a teacher's scores to what the class scores should be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from models.data import Example

_SURE = 0.9
"""Target score of the class that a picture's folder names; the rest is left for mislabelled pictures."""

_SHOWN = 0.5
"""Target score from which a class is taken to be seen."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Targets of the class scores.

    Attributes:
        classes: names of the classes: the teacher's, then those only the data sets have, in alphabetical order.
        targets: float16 `[n, classes]`, the score that each class should get.
        known: bool `[n, classes]`, False where nothing is known: a data set says nothing about another's classes.
        folders: int `[n]`, the class that the picture's folder names, or -1.
    """

    classes: tuple[str, ...]
    targets: NDArray[np.float16]
    known: NDArray[np.bool_]
    folders: NDArray[np.int64]

    def told(self, pictures: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the targets and whether they are known, float32 `[classes]` each, for pictures that are seen together.

        A class that one of them shows is shown; that a class is not shown is known if it is known of each of them.
        Nothing is known where no picture is seen.
        """
        rows = list(pictures)
        if not rows:
            return np.zeros(len(self.classes), np.float32), np.zeros(len(self.classes), np.float32)
        targets = np.max(self.targets[rows] * self.known[rows], axis=0)
        known = self.known[rows].all(axis=0) | (targets >= _SHOWN)
        return targets.astype(np.float32), known.astype(np.float32)


def label_examples(
    examples: Sequence[Example],
    teacher_classes: Sequence[str],
    scores: NDArray[np.float16],
    background: Collection[str],
    least: int,
) -> Labels:
    """Put together what folders and teacher say. A folder named as one of the teacher's classes is that class.

    Args:
        examples: the pictures.
        teacher_classes: names of the teacher's classes, or nothing; a first class `background` is left out.
        scores: float16 `[n, teacher classes]`, probabilities.
        background: folders that name no class.
        least: a folder with fewer pictures names no class.
    """
    first = 1 if teacher_classes and teacher_classes[0] == "background" else 0
    classes = list(teacher_classes[first:])
    taught = len(classes)
    sizes = Counter((each.dataset, each.label) for each in examples)
    owned: dict[int, list[int]] = {each.dataset: [] for each in examples}
    for (dataset, name), size in sorted(sizes.items(), key=lambda item: item[0][1]):
        if size >= least and name not in background:
            if name not in classes:
                classes.append(name)
            owned[dataset].append(classes.index(name))
    numbers = {classes[each]: each for mine in owned.values() for each in mine}
    targets = np.zeros((len(examples), len(classes)), np.float16)
    known = np.zeros(targets.shape, np.bool_)
    targets[:, :taught] = scores[:, first:]
    known[:, :taught] = True
    folders = np.array([numbers.get(each.label, -1) for each in examples])
    for row, example in enumerate(examples):
        known[row, owned[example.dataset]] = True
        if folders[row] >= 0:
            targets[row, folders[row]] = max(targets[row, folders[row]], _SURE)
    return Labels(tuple(classes), targets, known, folders)

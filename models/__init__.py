"""The MSROI network: importance maps for pictures, and how it is trained.

Importing this package imports neither Keras nor TensorFlow; `load` and `train` do.
"""

from models.backend import gpus
from models.importance import ImportanceModel, load
from models.imported import convert_checkpoint, load_vgg16
from models.prepared import Prepared, prepare
from models.refinement import refine
from models.training import TrainingResult, train
from models.training_config import TrainingConfig

__all__ = [
    "ImportanceModel",
    "Prepared",
    "TrainingConfig",
    "TrainingResult",
    "convert_checkpoint",
    "gpus",
    "load",
    "load_vgg16",
    "prepare",
    "refine",
    "train",
]

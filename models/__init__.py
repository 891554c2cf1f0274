"""The MSROI network: importance maps for pictures, and how it is trained.

Importing this package imports neither Keras nor TensorFlow; `load` and `train` do.
"""

from models.importance import ImportanceModel, load
from models.prepared import Prepared, prepare
from models.training import TrainingConfig, TrainingResult, train

__all__ = ["ImportanceModel", "Prepared", "TrainingConfig", "TrainingResult", "load", "prepare", "train"]

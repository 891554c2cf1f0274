"""Object stores behind one narrow interface: S3 and a folder on this machine."""

from storage.base import ABSENT, ObjectStore
from storage.opening import Stores

__all__ = ["ABSENT", "ObjectStore", "Stores"]

"""Everything that can go wrong, sorted by what to do about it.

    SemjpegError
    ├── RetryableError                 the same attempt may succeed later
    │   ├── StorageUnavailableError
    │   ├── BrokerUnavailableError
    │   ├── JobInFlightError
    │   └── OvertakenError
    └── PermanentError                 trying again gives the same answer
        ├── ConfigurationError
        ├── InvalidMessageError
        ├── ObjectMissingError
        ├── ObjectChangedError
        ├── ForbiddenError
        ├── TooLargeError
        ├── NotAnImageError
        ├── DamagedImageError
        ├── UnsupportedImageError
        ├── DamagedRecordError
        ├── DeadlineExceededError
        ├── WorkerLostError
        ├── KeyTooLongError
        ├── ModelError
        ├── EncodingError
        ├── VerificationError
        └── OutputTakenError

The branch alone decides: a worker retries what is retryable and records the rest as failed, and the command line
leaves with 2 for a `ConfigurationError` or a `ModelError` and with 1 for any other.
"""

from __future__ import annotations

from typing import ClassVar


class SemjpegError(Exception):
    """Root of the tree.

    The message gives the reason as a sentence about the object ("has 12 frames: …"), and names the object where the
    one who raises it knows the name; the one who reports it does. `code` is the reason as a stable word.
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False


class RetryableError(SemjpegError):
    """The same attempt may succeed later."""

    code = "retryable"
    retryable = True


class StorageUnavailableError(RetryableError):
    """The object store cannot be reached, is overloaded or broke off in the middle of an answer."""

    code = "storage-unavailable"


class BrokerUnavailableError(RetryableError):
    """The broker cannot be reached."""

    code = "broker-unavailable"


class JobInFlightError(RetryableError):
    """Another worker holds the claim on the same job."""

    code = "job-in-flight"


class OvertakenError(RetryableError):
    """Another object stands where the write expected to find something else, or nothing: another writer was first."""

    code = "overtaken"


class PermanentError(SemjpegError):
    """Trying again gives the same answer."""

    code = "permanent"


class ConfigurationError(PermanentError):
    """A setting, a recipe or a command's argument is missing, malformed or contradicts another."""

    code = "configuration"


class InvalidMessageError(PermanentError):
    """A task message or a storage event does not have the agreed form."""

    code = "invalid-message"


class ObjectMissingError(PermanentError):
    """The object, or the bucket that should hold it, does not exist."""

    code = "object-missing"


class ObjectChangedError(PermanentError):
    """The object was overwritten after the job was queued; its newest version is done in its stead."""

    code = "object-changed"


class ForbiddenError(PermanentError):
    """The object store refuses these credentials, or the configuration does not allow the place."""

    code = "forbidden"


class TooLargeError(PermanentError):
    """The object exceeds a limit on bytes, pixels or frames."""

    code = "too-large"


class NotAnImageError(PermanentError):
    """The bytes are not in any of the accepted image formats."""

    code = "not-an-image"


class DamagedImageError(PermanentError):
    """An image of a known format that ends early or contradicts itself."""

    code = "damaged-image"


class UnsupportedImageError(PermanentError):
    """A sound image that has no faithful JPEG, such as an animation."""

    code = "unsupported-image"


class DamagedRecordError(PermanentError):
    """What stands in a record's place is none: not JSON, incomplete, or with values that cannot be."""

    code = "damaged-record"


class DeadlineExceededError(PermanentError):
    """One image took longer than the deadline allows."""

    code = "deadline-exceeded"


class WorkerLostError(PermanentError):
    """Workers died while they worked on this object, again and again, and in the end while they did nothing else."""

    code = "worker-lost"


class KeyTooLongError(PermanentError):
    """The key of the result would be longer than an object store takes."""

    code = "key-too-long"


class ModelError(PermanentError):
    """The network's weights are missing, damaged or made for another architecture."""

    code = "model"


class EncodingError(PermanentError):
    """The encoder cannot do what was asked, for instance reach a byte size."""

    code = "encoding"


class VerificationError(PermanentError):
    """The encoded JPEG, decoded again, is not the picture that went in."""

    code = "verification"


class OutputTakenError(PermanentError):
    """The output key already holds an object that semjpeg did not make from this source."""

    code = "output-taken"

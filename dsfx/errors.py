"""What can go wrong, as classes a caller can catch.

Each class has two parents: `DsfxError`, to catch everything of ours, and the built-in that fits, so that code
written without us in mind still catches it. A message is one line: what, where, what was expected, what mends it.
"""

__all__ = [
    "AudioError",
    "ConfigError",
    "DsfxError",
    "InputError",
    "MissingExtra",
    "ModelError",
    "OutputError",
    "StorageError",
]


class DsfxError(Exception):
    """Base of every error dsfx raises on purpose."""


class AudioError(DsfxError, ValueError):
    """One recording or segment cannot be read or has unusable samples."""


class InputError(DsfxError, ValueError):
    """The inputs as a whole are wrong: nothing to do, a missing path, a malformed table."""


class ConfigError(DsfxError, ValueError):
    """An option, a feature set or a parameter has a value that is not possible."""


class ModelError(DsfxError, ValueError):
    """A model folder is incomplete, damaged, or not what its card says."""


class OutputError(DsfxError, OSError):
    """The result cannot be written: no permission, no space, a path that is taken."""


class StorageError(OutputError):
    """The disk, or the worker processes, gave out while a run went on; what was finished is kept."""


class MissingExtra(DsfxError, ImportError):
    """An optional dependency is needed and not installed; the message names the extra."""

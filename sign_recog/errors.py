"""Errors a user can cause and can fix; each message says what, where and what to do."""

from hydra.errors import CompactHydraException


class SignRecogError(CompactHydraException):
    """Base of this package's errors. Hydra prints these without a traceback and exits with 1."""


class ConfigError(SignRecogError):
    """The composed configuration contradicts itself, the data or the machine."""


class DataError(SignRecogError):
    """A corpus, a manifest, a video or a sequence file is not what it should be."""


class CheckpointError(SignRecogError):
    """A checkpoint is missing, damaged, or made for other inputs."""


class Stopped(SignRecogError):
    """Ctrl-C or a signal ended the work, which can be taken up again."""

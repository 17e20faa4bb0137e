"""What the settings of corpora with settings of their own have in common."""

from dataclasses import dataclass
from typing import ClassVar

from sign_recog.config.schema import DataConfig


@dataclass
class CorpusConfig(DataConfig):
    """What every corpus has.

    Attributes:
        joined: Settings that are lists of paths; the command line may join them by commas.
    """

    joined: ClassVar[tuple[str, ...]] = ()

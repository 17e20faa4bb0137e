"""What the settings of corpora with settings of their own have in common."""

from dataclasses import dataclass
from typing import Any, ClassVar

from sign_recog.config.schema import DataConfig


@dataclass
class CorpusConfig(DataConfig):
    """What every corpus has.

    Attributes:
        joined: Settings that are lists of paths; the command line may join them by commas.
    """

    joined: ClassVar[tuple[str, ...]] = ()


# Settings that choose and cut clips of signs, with the values that do neither.
_OF_CLIPS: dict[str, Any] = {
    "glosses": None, "exclude_glosses": [], "categories": None, "clip_size": None, "min_frames": 1
}  # fmt: skip


def without_effect_on_frames(data: DataConfig) -> list[str]:
    """What ``data`` sets in vain for a corpus of labelled frames, one sentence each."""
    found = [
        f"data.{key}={getattr(data, key)} has no effect on labelled frames. "
        f"Use data.{key}={'null' if default is None else default}."
        for key, default in _OF_CLIPS.items()
        if getattr(data, key) != default
    ]
    if data.split.drop_partial_glosses:
        found.append("data.split.drop_partial_glosses=true has no effect on labelled frames. Use false.")
    return found

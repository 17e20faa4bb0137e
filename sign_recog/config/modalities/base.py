"""What every modality's settings have in common."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omegaconf import MISSING

from sign_recog.landmarks import augment

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


@dataclass
class ModalityConfig:
    """What every modality has: its reader, and the stage that makes what it reads."""

    _target_: str = MISSING  # class in sign_recog/data, built from these settings
    extraction: str | None = MISSING  # the stage; null = the videos themselves are read

    def problems(self) -> list[str]:
        return []

    def contradictions(self, config: "Config") -> list[str]:
        """What does not go together with the other sections."""
        return []


def spatial_augmentations(config: "Config") -> list[str]:
    """Those of the group ``augment`` that turn or stretch points about 0, as the middle of the body."""
    found = []
    for name, node in config.augment.items():
        module, _, kind = node["_target_"].rpartition(".")
        if module == augment.__name__ and getattr(augment, kind).about_origin:
            found.append(name)
    return found

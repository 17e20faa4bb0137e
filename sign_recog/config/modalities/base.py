"""What every modality's settings have in common."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from omegaconf import MISSING

from sign_recog.landmarks import augment

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


@dataclass
class ModalityConfig:
    """What every modality has: its reader, and the stage that makes what it reads.

    Attributes:
        earlier: Settings that checkpoints from before them lack -> the value that those were trained with.
    """

    earlier: ClassVar[dict[str, Any]] = {}
    _target_: str = MISSING  # class in sign_recog/data, built from these settings
    extraction: str | None = MISSING  # the stage; null = the videos themselves are read

    def problems(self) -> list[str]:
        return []

    def contradictions(self, config: "Config") -> list[str]:
        """What does not go together with the other sections."""
        return []


def augmentations_of(config: "Config", package: str) -> list[str]:
    """Those of the group ``augment`` whose class lies in ``package``."""
    return [name for name, node in config.augment.items() if node["_target_"].startswith(package)]


def refused_pictures(config: "Config", modality: str) -> list[str]:
    """The problem of a modality without pictures whose augmentations change pictures."""
    pictures = augmentations_of(config, "sign_recog.video.")
    if not pictures:
        return []
    return [
        f"modality={modality} reads no pictures, and these augmentations change pictures: {', '.join(pictures)}. "
        f"Use augment={modality} or augment=none."
    ]


def spatial_augmentations(config: "Config") -> list[str]:
    """Those of the group ``augment`` that turn or stretch points about 0, as the middle of the body."""
    found = []
    for name, node in config.augment.items():
        module, _, kind = node["_target_"].rpartition(".")
        if module == augment.__name__ and getattr(augment, kind).about_origin:
            found.append(name)
    return found

"""Settings of ``modality=gloss``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omegaconf import MISSING

from sign_recog.config.modalities.base import ModalityConfig

if TYPE_CHECKING:
    from sign_recog.config.schema import Config

_NETWORKS = "sign_recog.models.translation."


@dataclass
class GlossModality(ModalityConfig):
    """The glosses of a sentence, as numbers: what a perfect recogniser would have seen."""

    min_count: int = MISSING  # glosses that are rarer in train are unknown

    def problems(self) -> list[str]:
        return [] if self.min_count >= 1 else [f"modality.min_count={self.min_count} must be at least 1."]

    def contradictions(self, config: "Config") -> list[str]:
        found = []
        if not config.model["_target_"].startswith(_NETWORKS):
            found.append(
                "modality=gloss gives words, and this network reads numbers that are measured. Use a network of "
                "translation, or modality=keypoints."
            )
        if config.augment:
            found.append(
                f"modality=gloss reads no points and no pictures, and these augmentations change them: "
                f"{', '.join(config.augment)}. Use augment=none."
            )
        return found

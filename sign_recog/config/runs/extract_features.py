"""Settings of ``run=extract_features``."""

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from sign_recog.config.runs.extract_keypoints import ExtractKeypointsRun
from sign_recog.config.targets import unknown_arguments


@dataclass
class ExtractFeaturesRun(ExtractKeypointsRun):
    """Video -> features; as for keypoints, but ``num_workers`` processes decode ahead of one network."""

    augmented_copies: int = MISSING  # of training clips, besides the plain ones
    augment: Any = MISSING  # what changes them: options of the group augment that change frames
    tree_dir: str | None = MISSING  # where ssvp_slt's tree of .pt files and manifests goes; null = none

    def problems(self) -> list[str]:
        found = super().problems()
        if self.augmented_copies < 0:
            found.append(f"run.augmented_copies={self.augmented_copies} must be at least 0.")
        if self.augmented_copies and not self.augment:
            found.append(
                f"run.augmented_copies={self.augmented_copies} would all be the same: augment@run.augment=none changes "
                "nothing. Use augment@run.augment=rgb, or run.augmented_copies=0."
            )
        return [*found, *unknown_arguments("run.augment", self.augment)]

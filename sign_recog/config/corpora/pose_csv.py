"""Settings of ``data=pose_csv``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.corpora.base import CorpusConfig, without_effect_on_frames
from sign_recog.config.split import SplitStrategy

_OF_FRAMES = (SplitStrategy.given, SplitStrategy.random, SplitStrategy.video_disjoint, SplitStrategy.kfold)


@dataclass
class PoseCsvConfig(CorpusConfig):
    """Labelled frames in a table of DeepLabCut or Lightning Pose."""

    image_dir: str | None = MISSING  # what the pictures' names start from; null = the folder of data.source
    new_source: str | None = MISSING  # a second table, whose frames are scored by themselves; null = none
    split_list: str | None = MISSING  # a table with the columns frame and split; null = the column set
    numbered: bool = MISSING  # pictures with neighbouring numbers in their names are neighbours in time
    swap_pairs: list[list[str]] = MISSING  # [left, right] landmarks, which change places in a mirror
    views: list[list[str]] = MISSING  # each lists the same points as one view shows them
    limbs: list[list[str]] = MISSING  # pairs that are joined when they are drawn

    def problems(self) -> list[str]:
        found = super().problems()
        if self.split.strategy not in _OF_FRAMES:
            known = ", ".join(one.value for one in _OF_FRAMES)
            found.append(
                f"data.split.strategy={self.split.strategy.value}: labelled frames know no signers. Use one of {known}."
            )
        if self.split_list is not None and self.split.strategy is not SplitStrategy.given:
            found.append(
                f"data.split_list={self.split_list} has no effect with data.split.strategy="
                f"{self.split.strategy.value}. Use data.split.strategy=given."
            )
        for key in ("swap_pairs", "limbs"):
            if bad := [one for one in getattr(self, key) if len(one) != 2]:
                found.append(f"data.{key} lists {bad[0]}, which is no pair. Give two names each: [[a,b],[c,d]].")
        return found + without_effect_on_frames(self)

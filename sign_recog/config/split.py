"""How a corpus is divided: the settings ``data.split``."""

from dataclasses import dataclass
from enum import Enum

from omegaconf import MISSING

MIN_FOLDS = 3  # one to test on, one to validate on, one to train on


class SplitStrategy(str, Enum):
    """Where train, val and test come from."""

    given = "given"  # the annotation
    random = "random"  # each gloss apart, by the shares
    signer_disjoint = "signer_disjoint"  # each signer in one split
    video_disjoint = "video_disjoint"  # each video in one split
    kfold = "kfold"  # each gloss spread over the folds
    kfold_signer = "kfold_signer"  # each signer in one fold


BY_SHARES = (SplitStrategy.random, SplitStrategy.signer_disjoint, SplitStrategy.video_disjoint)
BY_FOLDS = (SplitStrategy.kfold, SplitStrategy.kfold_signer)


@dataclass
class SplitConfig:
    """How clips are divided; shares are of clips, the rest is train."""

    strategy: SplitStrategy = MISSING
    val_share: float = MISSING  # random, signer_disjoint and video_disjoint
    test_share: float = MISSING
    folds: int = MISSING  # kfold and kfold_signer
    fold: int = MISSING  # the one to test on; the next one validates
    seed: int = MISSING
    drop_partial_glosses: bool = MISSING  # leave out glosses that a split lacks; they are named
    train_share: float = MISSING  # of each gloss's train clips; below 1 a point of a learning curve

    def problems(self) -> list[str]:
        found = []
        if self.strategy in BY_SHARES:
            found += self._share_problems()
        if self.strategy in BY_FOLDS:
            found += self._fold_problems()
        if self.seed < 0:
            found.append(f"data.split.seed={self.seed} must be 0 or more.")
        if not 0 < self.train_share <= 1:
            found.append(
                f"data.split.train_share={self.train_share} must be above 0, and at most 1 for all train clips."
            )
        return found

    def _share_problems(self) -> list[str]:
        bad = [name for name in ("val_share", "test_share") if not 0 < getattr(self, name) < 1]
        found = [f"data.split.{name}={getattr(self, name)} must lie between 0 and 1, say 0.1." for name in bad]
        if not bad and self.val_share + self.test_share >= 1:
            found.append(
                f"data.split.val_share={self.val_share} and data.split.test_share={self.test_share} leave nothing "
                "to train on. Let them add up to less than 1, say 0.1 and 0.1."
            )
        return found

    def _fold_problems(self) -> list[str]:
        if self.folds < MIN_FOLDS:
            return [
                f"data.split.folds={self.folds} must be at least {MIN_FOLDS}: one fold is tested, one validates, the "
                "others train."
            ]
        if not 0 <= self.fold < self.folds:
            return [f"data.split.fold={self.fold} must be in 0..{self.folds - 1}, of data.split.folds={self.folds}."]
        return []

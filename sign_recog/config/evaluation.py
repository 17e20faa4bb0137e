"""Settings of the group ``evaluation``: on what, and in how many ways, ``run=evaluate`` scores a checkpoint.

They are no part of a training's settings: however a run is evaluated, its folder is the same.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omegaconf import MISSING

if TYPE_CHECKING:
    from sign_recog.config.schema import Config

SETS = ("test", "val", "train")
CROPS = (1, 3, 5)  # the centre; along the longer side; corners and centre


@dataclass
class ViewsConfig:
    """How often a clip is looked at; its probabilities are the mean over all views."""

    num_clips: int = MISSING  # parts of its time
    num_crops: int = MISSING  # parts of the picture, for each of them

    @property
    def num_views(self) -> int:
        """Of a clip."""
        return self.num_clips * self.num_crops


@dataclass
class SentencesConfig:
    """How the sentences of a translator are scored."""

    lowercase: bool = MISSING  # BLEU, chrF and chrF++ do not tell the case apart
    blacklist: str | None = MISSING  # of reduced BLEU: en, de or a file; null = the most frequent training words
    blacklist_size: int = MISSING  # so many of these
    wordnet_dir: str | None = MISSING  # nltk's data folder, for METEOR; null = where nltk looks by itself
    bleurt_dir: str | None = MISSING  # a BLEURT checkpoint; null = BLEURT is not computed
    num_permutations: int = MISSING  # of the sentences among the clips, for the collapse check

    def problems(self) -> list[str]:
        found = []
        for name in ("blacklist_size", "num_permutations"):
            if getattr(self, name) < 1:
                found.append(f"evaluation.sentences.{name}={getattr(self, name)} must be at least 1.")
        return found


@dataclass
class EvaluationConfig:
    """What is scored besides ``run.split``, and what is drawn."""

    sets: list[str] | None = MISSING  # null = run.split alone
    shuffled: bool = MISSING  # score test once more with its frames in another order
    num_permutations: int = MISSING  # so many orders; the first is the one of the JSON with S2's names
    seed: int = MISSING  # of the permutations; not the run's, so that runs are shuffled alike
    bar_graph: bool = MISSING  # results/<checkpoint>_<run.split>-bargraph.png
    confusion_matrix: bool = MISSING  # results/<checkpoint>_<run.split>-confmat.png
    heat_map: bool = MISSING  # results/<checkpoint>_<run.split>-heatmap.png, with the classification report as JSON
    views: ViewsConfig = field(default_factory=ViewsConfig)
    sentences: SentencesConfig = field(default_factory=SentencesConfig)  # of run=evaluate on a translator

    def sets_of(self, split: str) -> list[str]:
        """The splits to score, ``run.split`` being ``split``."""
        return [split] if self.sets is None else list(self.sets)

    def problems(self) -> list[str]:
        found = []
        for name in self.sets or []:
            if name not in SETS:
                found.append(f"evaluation.sets names {name!r}, which is none of {', '.join(SETS)}.")
        if self.sets is not None and (not self.sets or len(set(self.sets)) < len(self.sets)):
            found.append(f"evaluation.sets={self.sets} must name each set once, and at least one.")
        if self.num_permutations < 1:
            found.append(
                f"evaluation.num_permutations={self.num_permutations} must be at least 1. "
                "Use evaluation.shuffled=false to leave shuffled frames out."
            )
        elif self.num_permutations > 1 and not self.shuffled:
            found.append(
                f"evaluation.num_permutations={self.num_permutations} has no effect without shuffled frames. "
                "Set evaluation.shuffled=true."
            )
        if self.seed < 0:
            found.append(f"evaluation.seed={self.seed} must not be negative.")
        if self.views.num_clips < 1:
            found.append(f"evaluation.views.num_clips={self.views.num_clips} must be at least 1.")
        if self.views.num_crops not in CROPS:
            found.append(
                f"evaluation.views.num_crops={self.views.num_crops} must be one of {', '.join(map(str, CROPS))}."
            )
        return found + self.sentences.problems()

    def without_effect(self) -> list[str]:
        """Settings that are of recognisers alone and not at the value without effect."""
        flags = ("shuffled", "bar_graph", "confusion_matrix", "heat_map")
        found = [f"evaluation.{name}=true" for name in flags if getattr(self, name)]
        return found + (["evaluation.views"] if self.views.num_views > 1 else [])

    def contradictions(self, config: "Config") -> list[str]:
        """What does not go together with the stage that scores, alone or in a pipeline."""
        run = config.run if hasattr(config.run, "bootstrap_samples") else getattr(config.run, "evaluate", None)
        if run is None:
            return []
        found, sets = [], self.sets_of(run.split)
        if run.split not in sets:
            found.append(
                f"run.split={run.split} is what the run is judged by, but evaluation.sets={sets} leaves it out. "
                "Add it, or name one of these as run.split."
            )
        if self.shuffled and "test" not in sets:
            found.append(
                f"evaluation.shuffled=true shuffles the frames of test, which evaluation.sets={sets} leaves out. "
                "Add test, or use evaluation.shuffled=false."
            )
        return found

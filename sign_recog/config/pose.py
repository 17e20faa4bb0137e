"""Settings of the group ``pose``: how a detector of landmarks learns."""

from dataclasses import dataclass, field
from enum import Enum

from omegaconf import MISSING


class HeatmapLoss(str, Enum):
    """How a heatmap is compared with the label's."""

    mse = "mse"  # mean squared difference
    kl = "kl"  # Kullback-Leibler divergence
    js = "js"  # Jensen-Shannon divergence


class Centring(str, Enum):
    """Where a pose is moved to before it is compared."""

    mean = "mean"  # of its landmarks
    median = "median"


@dataclass
class UnsupervisedLoss:
    """A loss of unlabelled frames: mean of what exceeds ``epsilon``, times ``1 / (2 e^log_weight)``."""

    enabled: bool = MISSING
    log_weight: float = MISSING
    epsilon: float | None = MISSING  # pixels that are free

    def problems(self, key: str) -> list[str]:
        if self.epsilon is not None and self.epsilon < 0:
            return [f"{key}.epsilon={self.epsilon} must be 0 pixels or more."]
        return []


@dataclass
class TemporalLoss(UnsupervisedLoss):
    """A landmark moves little from frame to frame."""

    min_confidence: float = MISSING  # landmarks below it are not judged

    def problems(self, key: str) -> list[str]:
        found = super().problems(key)
        if self.epsilon is None:
            found.append(f"{key}.epsilon=null: frames have no neighbours to learn it from. Give pixels, say 20.")
        if not 0 <= self.min_confidence < 1:
            found.append(f"{key}.min_confidence={self.min_confidence} must be at least 0 and below 1.")
        return found


@dataclass
class PcaLoss(UnsupervisedLoss):
    """What is predicted lies near the plane of what was labelled."""

    components: int | None = MISSING  # dimensions of the plane

    def problems(self, key: str) -> list[str]:
        found = super().problems(key)
        if self.components is not None and self.components < 1:
            found.append(f"{key}.components={self.components} must be at least 1.")
        return found


@dataclass
class SingleviewLoss(PcaLoss):
    """Poses lie near the plane of those that were labelled."""

    landmarks: list[str] | None = MISSING  # null = all
    explained: float = MISSING  # share of the variance that the plane explains, where components is null
    centring: Centring | None = MISSING

    def problems(self, key: str) -> list[str]:
        found = super().problems(key)
        if not 0 < self.explained <= 1:
            found.append(f"{key}.explained={self.explained} is a share of the variance, above 0 and at most 1.")
        if self.landmarks is not None and len(self.landmarks) < 2:
            found.append(f"{key}.landmarks={self.landmarks} are too few for a pose. Name two or more, or null for all.")
        return found


@dataclass
class MultiviewLoss(PcaLoss):
    """The views of a point lie in three dimensions."""

    def problems(self, key: str) -> list[str]:
        if self.components is None:
            return [f"{key}.components=null: several views show a point in space, which has 3. Give 3."]
        return super().problems(key)


@dataclass
class PoseLosses:
    """Losses of unlabelled frames."""

    temporal: TemporalLoss = field(default_factory=TemporalLoss)
    pca_singleview: SingleviewLoss = field(default_factory=SingleviewLoss)
    pca_multiview: MultiviewLoss = field(default_factory=MultiviewLoss)

    @property
    def enabled(self) -> list[str]:
        """Names of those that count."""
        return [name for name, loss in vars(self).items() if loss.enabled]


@dataclass
class PoseConfig:
    """How a detector of landmarks learns: from labels, and from what unlabelled frames should obey."""

    heatmap_loss: HeatmapLoss = MISSING
    heatmap_sigma: float = MISSING  # heatmap pixels
    unfreeze_epoch: int | None = MISSING  # the backbone learns from this epoch on, counted from 1
    unfreeze_start: float = MISSING  # its rate then, as a share of the rest's
    unfreeze_growth: float = MISSING  # factor an epoch
    losses: PoseLosses = field(default_factory=PoseLosses)
    anneal_from: int = MISSING  # epoch, counted from 0, at whose begin unsupervised losses start to count
    anneal_step: float = MISSING  # share by which they count more every epoch
    window: int = MISSING  # consecutive unlabelled frames a step
    most_frames: int = MISSING  # unlabelled frames that are kept at hand

    def problems(self) -> list[str]:
        found = [p for name, loss in vars(self.losses).items() for p in loss.problems(f"pose.losses.{name}")]
        if self.heatmap_sigma <= 0:
            found.append(f"pose.heatmap_sigma={self.heatmap_sigma} must be above 0 heatmap pixels.")
        if self.unfreeze_epoch is not None and self.unfreeze_epoch < 1:
            found.append(f"pose.unfreeze_epoch={self.unfreeze_epoch} must be at least 1, or null.")
        if not 0 < self.unfreeze_start <= 1:
            found.append(f"pose.unfreeze_start={self.unfreeze_start} must be above 0 and at most 1.")
        if self.unfreeze_growth <= 1:
            found.append(f"pose.unfreeze_growth={self.unfreeze_growth} must be above 1.")
        if self.anneal_from < 0:
            found.append(f"pose.anneal_from={self.anneal_from} must be 0 or more.")
        if not 0 < self.anneal_step <= 1:
            found.append(f"pose.anneal_step={self.anneal_step} must be above 0 and at most 1.")
        if self.window < 2:
            found.append(f"pose.window={self.window} must be at least 2 frames.")
        if self.most_frames < self.window:
            found.append(f"pose.most_frames={self.most_frames} is below pose.window={self.window}. Raise it.")
        return found

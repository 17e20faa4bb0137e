"""What training minimises: a loss for each head, how the two become one, and penalties on weights."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sign_recog.config.loss import LossConfig, Norm, RegularizerConfig
from sign_recog.data.vocabulary import NO_CATEGORY
from sign_recog.training.class_frequency import class_weights
from sign_recog.training.parts import find_part
from sign_recog.training.weighting import Weighting, weighted_sum
from sign_recog.types import Batch, Logits


class ClassLoss(nn.Module):
    """Cross-entropy of one label, with smoothing, focus and class weights in any combination.

    With p the softmax, y the label, K classes, smoothed labels q = (1 - e) [k = y] + e / K (Szegedy et al. 2016,
    arXiv:1512.00567), class weights w, and gamma of the focal loss (Lin et al. 2017, arXiv:1708.02002), a clip's
    loss is the sum over k of q_k w_k (1 - p_k)^gamma (-log p_k), and a batch's the mean over its clips. So batches add
    up: the mean over batches of equal size is the mean over their clips, which torch's division by the sum of the
    clips' weights is not. For gamma 0 a clip's loss is that of :func:`torch.nn.functional.cross_entropy`; without
    smoothing, Lin's formula. The focus stands inside the sum: before it, it would take the smoothing away from sure
    clips.

    Args:
        weights: (K,) of each class; None = all 1.

    Shapes:
        logits: (B, K); labels: (B,) int64, ``NO_CATEGORY`` = does not count. Returns a scalar, NaN if none counts.
    """

    weights: Tensor | None

    def __init__(self, *, label_smoothing: float, focal_gamma: float, weights: Tensor | None):
        super().__init__()
        self.label_smoothing, self.focal_gamma = label_smoothing, focal_gamma
        self.register_buffer("weights", weights, persistent=False)  # made anew from the train clips

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Shapes as above."""
        counted = labels != NO_CATEGORY
        if self.focal_gamma == 0:
            smoothing = self.label_smoothing
            clips = F.cross_entropy(
                logits, labels, self.weights, ignore_index=NO_CATEGORY, label_smoothing=smoothing, reduction="none"
            )
            return clips.sum() / counted.sum()
        log_p = F.log_softmax(logits, dim=1, dtype=torch.float32)
        terms = -log_p * (-torch.expm1(log_p)).clamp(min=1e-12) ** self.focal_gamma
        weights = torch.ones_like(terms[0]) if self.weights is None else self.weights
        terms = terms * weights
        known = labels.clamp(min=0)
        own = (terms * F.one_hot(known, terms.shape[1])).sum(dim=1)  # a gather's gradient adds up in any order on GPUs
        loss = (1 - self.label_smoothing) * own + self.label_smoothing * terms.mean(dim=1)
        return (loss * counted).sum() / counted.sum()


class SignLoss(nn.Module):
    """The losses of the gloss head and of the category head, and the one number that is minimised.

    Args:
        settings: The group ``loss``.
        weighting: How the two losses become one in training.
        counts: Head -> train clips of each class: ``gloss`` and, with a category head, ``category``.
        network: Whose weights are penalised, and where GradNorm finds its shared part.

    Raises:
        ConfigError: If ``loss.regularizers`` or the weighting names a part that the network lacks.
    """

    def __init__(self, settings: LossConfig, weighting: Weighting, *, counts: Mapping[str, Tensor], network: nn.Module):
        super().__init__()
        self.tasks = nn.ModuleDict(
            {
                name: ClassLoss(
                    label_smoothing=settings.label_smoothing,
                    focal_gamma=settings.focal_gamma,
                    weights=class_weights(own, settings.class_weights),
                )
                for name, own in counts.items()
            }
        )
        self._all_have_category = "category" in counts and int(counts["category"].sum()) == int(counts["gloss"].sum())
        self.weighting = weighting
        weighting.bind(network)
        # In a list, so that the network's parameters do not become this module's too.
        self._penalties = [Penalty(network, entry) for entry in settings.regularizers]

    def forward(self, logits: Logits, batch: Batch) -> dict[str, Tensor]:
        """The mean loss of each head over the clips that have its label; a head without any is left out."""
        losses = {"gloss": self.tasks["gloss"](logits["gloss_logits"], batch["gloss"])}
        if "category" in self.tasks and self._any_category(batch):
            losses["category"] = self.tasks["category"](logits["category_logits"], batch["category"])
        return losses

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """gloss_weight * gloss loss + category_weight * category loss: what is logged for train and val.

        Weights that change during a training would make its epochs incomparable.
        """
        return weighted_sum(losses, self.weighting.given)

    def objective(self, losses: Mapping[str, Tensor], *, epoch: int) -> Tensor:
        """What a training step minimises, penalties aside; the weighting learns from every call."""
        return self.weighting(losses, epoch=epoch)

    def penalty(self) -> Tensor | None:
        """The sum of all penalties on weights; None without any."""
        return torch.stack([penalty() for penalty in self._penalties]).sum() if self._penalties else None

    def _any_category(self, batch: Batch) -> bool:
        """Asking a GPU waits for it, so nothing is asked in training where all clips have a category."""
        return (self.training and self._all_have_category) or bool((batch["category"] != NO_CATEGORY).any())


class Penalty:
    """``weight`` times the sum of sizes (l1) or of squares (l2) of a part's matrices.

    Biases, norms and other vectors are not penalised, as they are not decayed.
    """

    def __init__(self, network: nn.Module, settings: RegularizerConfig):
        part = find_part(network, settings.part, "loss.regularizers")
        self._matrices = [p for p in part.parameters() if p.ndim > 1]
        self._norm, self._weight = settings.norm, settings.weight

    def __call__(self) -> Tensor:
        sizes = [p.abs().sum() if self._norm is Norm.l1 else p.square().sum() for p in self._matrices]
        return self._weight * torch.stack(sizes).sum()

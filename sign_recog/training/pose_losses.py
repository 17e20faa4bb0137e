"""What a detector of landmarks minimises: of labelled frames, and of consecutive frames without labels.

Losses of labels are without a unit and about 1 for a network that knows nothing or little: squared error of heatmaps
relative to the label's own energy, divergences in nats, coordinates in hundredths of the picture's size. (Lightning
Pose's squared error is a 4 pi sigma^2-th of ours, with its sigma a 20th: its weights of unsupervised losses correspond
to ours less 3 with ``pose.heatmap_loss=mse``.) Losses without labels are in pixels of the original pictures.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sign_recog.config.pose import PoseConfig
from sign_recog.landmarks.pca import LinearPoses
from sign_recog.models.pose.decoding import input_to_heatmap

HUNDREDTH = 0.01  # of the picture's size: up to there a coordinate's loss is quadratic


def labelled(points: Tensor, height: int, width: int) -> Tensor:
    """(B, V) bool: which of ``points`` (B, V, 2), in pixels of the network's input, are labelled and inside of it."""
    size = torch.tensor([width, height], device=points.device)
    return ((points >= -0.5) & (points <= size - 0.5)).all(dim=2)  # NaN is neither


def heatmap_targets(points: Tensor, height: int, width: int, sigma: float) -> Tensor:
    """The logarithm of a Gaussian around each point, normalised over the pixels of its map.

    Args:
        points: (B, V, 2) in heatmap pixels, none missing.
        height, width, sigma: In heatmap pixels.

    Returns:
        (B, V, height, width) float32; its exponential sums to 1 over each map.
    """

    def along(places: Tensor, length: int) -> Tensor:
        away = torch.arange(length, device=points.device) - places[..., None].float()
        return torch.log_softmax(-(away**2) / (2 * sigma**2), dim=-1)

    return along(points[..., 1], height)[..., None] + along(points[..., 0], width)[..., None, :]


def squared_error(log_found: Tensor, log_wanted: Tensor) -> Tensor:
    """Squared difference of two maps, relative to the wanted one's: 1 where nothing is found. (..., P) -> (...)."""
    wanted = log_wanted.exp()
    return (log_found.exp() - wanted).square().sum(-1) / wanted.square().sum(-1)


def kullback_leibler(log_found: Tensor, log_wanted: Tensor) -> Tensor:
    """KL(wanted || found) in nats, at least 0. (..., P) -> (...)."""
    return (log_wanted.exp() * (log_wanted - log_found)).sum(-1)


def jensen_shannon(log_found: Tensor, log_wanted: Tensor) -> Tensor:
    """Jensen-Shannon divergence in nats, from 0 to log 2. (..., P) -> (...)."""
    log_middle = torch.logaddexp(log_found, log_wanted) - math.log(2)
    return (kullback_leibler(log_middle, log_wanted) + kullback_leibler(log_middle, log_found)) / 2


HEATMAP_LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": squared_error,
    "kl": kullback_leibler,
    "js": jensen_shannon,
}


def heatmap_losses(logits: Tensor, points: Tensor, settings: PoseConfig, stride: int) -> Tensor:
    """The loss of every landmark that is labelled.

    Args:
        logits: (B, V, h, w).
        points: (B, V, 2) in pixels of the network's input, ``stride`` of which are a heatmap pixel.

    Returns:
        (B, V), 0 where ``points`` are not labelled, or outside.
    """
    height, width = logits.shape[2:]
    real = labelled(points, stride * height, stride * width)
    places = input_to_heatmap(points.where(real[..., None], 0), stride)
    wanted = heatmap_targets(places, height, width, settings.heatmap_sigma)
    compare = HEATMAP_LOSSES[settings.heatmap_loss.value]
    found = torch.log_softmax(logits.float().flatten(2), dim=2)
    return compare(found, wanted.flatten(2)).where(real, 0)


def regression_losses(found: Tensor, points: Tensor, height: int, width: int) -> Tensor:
    """Huber's loss (1964) of coordinates in hundredths of the picture's size, the mean of x and y.

    Args:
        found, points: (B, V, 2) in pixels of the network's input.

    Returns:
        (B, V), 0 where ``points`` are not labelled, or outside.
    """
    real = labelled(points, height, width)
    size = HUNDREDTH * torch.tensor([width, height], device=points.device)
    wanted = points.where(real[..., None], 0)
    losses = F.smooth_l1_loss(found.float() / size, wanted / size, reduction="none")
    return losses.mean(dim=2).where(real, 0)


def moved(points: Tensor, affine: Tensor) -> Tensor:
    """Points (B, V, 2) by ``affine`` (2, 3) or (B, 2, 3); in float32 whatever the network computes in."""
    linear = affine[..., :2].transpose(-1, -2).to(points.device)
    return points.float() @ linear + affine[..., None, :, 2].to(points.device)


class TemporalLoss(nn.Module):
    """How much farther than ``epsilon`` pixels landmarks go from frame to frame.

    A step is judged where both of its ends have at least ``min_confidence``.
    """

    def __init__(self, epsilon: float, min_confidence: float) -> None:
        super().__init__()
        self._epsilon, self._min_confidence = epsilon, min_confidence

    def forward(self, points: Tensor, confidence: Tensor) -> Tensor:
        """Mean over all steps of what exceeds epsilon; 0 for those that are not judged.

        Shapes:
            points: (W, V, 2) original pixels of consecutive frames; confidence: (W, V). Returns ().
        """
        steps = _length(points[1:] - points[:-1])
        sure = confidence >= self._min_confidence
        return F.relu(steps - self._epsilon).where(sure[1:] & sure[:-1], 0).mean()


class PcaLoss(nn.Module):
    """How much farther than ``epsilon`` pixels landmarks are from the plane of what has been labelled.

    The maths is that of :meth:`sign_recog.landmarks.pca.LinearPoses.errors`, in float64 as there.

    Args:
        epsilon: None = that of the fit.
    """

    landmarks: Tensor
    mean: Tensor
    components: Tensor

    def __init__(self, poses: LinearPoses, epsilon: float | None) -> None:
        super().__init__()
        self._epsilon = poses.epsilon if epsilon is None else epsilon
        self._centring = poses.centring
        for name in ("landmarks", "mean", "components"):
            self.register_buffer(name, torch.from_numpy(getattr(poses, name).copy()), persistent=False)

    def errors(self, points: Tensor) -> Tensor:
        """(N, V, 2) original pixels, none missing -> (N, R, M) float64 pixels, of the landmarks of every row."""
        rows = points.double()[:, self.landmarks]
        if self._centring == "mean":
            rows = rows - rows.mean(dim=2, keepdim=True)
        elif self._centring == "median":
            rows = rows - torch.quantile(rows, 0.5, dim=2, keepdim=True)  # of an even number the mean of two, as NumPy
        apart = rows.flatten(2) - self.mean
        apart = apart - apart @ self.components.T @ self.components
        return _length(apart.unflatten(2, (-1, 2)))

    def forward(self, points: Tensor, confidence: Tensor) -> Tensor:
        """Mean over frames and landmarks of what exceeds epsilon. Shapes as :class:`TemporalLoss`."""
        return F.relu(self.errors(points) - self._epsilon).mean().float()


class UnsupervisedLosses(nn.Module):
    """Those that ``pose.losses`` enables, each with its weight.

    Args:
        poses: Planes that were fitted to the train labels: ``singleview`` and ``multiview`` where they are needed.
    """

    def __init__(self, settings: PoseConfig, poses: Mapping[str, LinearPoses]) -> None:
        super().__init__()
        self._settings = settings
        losses = settings.losses
        self.terms = nn.ModuleDict()
        if losses.temporal.enabled:
            assert losses.temporal.epsilon is not None  # settings are checked
            self.terms["temporal"] = TemporalLoss(losses.temporal.epsilon, losses.temporal.min_confidence)
        if losses.pca_singleview.enabled:
            self.terms["pca_singleview"] = PcaLoss(poses["singleview"], losses.pca_singleview.epsilon)
        if losses.pca_multiview.enabled:
            self.terms["pca_multiview"] = PcaLoss(poses["multiview"], losses.pca_multiview.epsilon)

    def importance(self, epoch: int) -> float:
        """From 0 to 1: how much they count in ``epoch``, counted from 0; without any 0."""
        since = epoch - self._settings.anneal_from
        return min(1.0, max(0.0, (since + 1) * self._settings.anneal_step)) if len(self.terms) else 0.0

    def forward(self, points: Tensor, confidence: Tensor) -> dict[str, Tensor]:
        """Each loss by its name, in pixels, without its weight. Shapes as :class:`TemporalLoss`."""
        return {name: term(points, confidence) for name, term in self.terms.items()}

    def objective(self, losses: Mapping[str, Tensor], epoch: int) -> Tensor:
        """Their sum, each times ``1 / (2 e^log_weight)``, and all times :meth:`importance`."""
        weights = {name: 0.5 * math.exp(-getattr(self._settings.losses, name).log_weight) for name in losses}
        return self.importance(epoch) * torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()


def _length(vectors: Tensor) -> Tensor:
    """Euclidean length over the last axis; at 0, where it has no gradient, the gradient is 0."""
    squares = vectors.square().sum(dim=-1)
    zero = squares == 0
    return squares.where(~zero, 1).sqrt().where(~zero, 0)

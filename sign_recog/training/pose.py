"""The Lightning module of landmark detection: a step over labelled and unlabelled frames, and validation."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sign_recog.config.pose import PoseConfig
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.landmarks.pca import LinearPoses
from sign_recog.training.backbone_ramp import BackboneRamp
from sign_recog.training.base import NetworkModule, Totals
from sign_recog.training.budget import clip_share, sampler_of
from sign_recog.training.pose_losses import UnsupervisedLosses, heatmap_losses, labelled, moved, regression_losses
from sign_recog.training.pose_pictures import Picture, show_pictures
from sign_recog.types import PoseBatch


class PoseModule(NetworkModule):
    """A tracker with its losses and optimiser.

    Logged once an evaluation: ``train_loss`` and ``val_loss``, means over all labelled landmarks of the split of what
    training minimises on them; ``train_pixel_error`` and ``val_pixel_error``, their mean Euclidean distance in pixels
    of the original pictures; and of each unsupervised loss that counts its mean over the steps in pixels, without its
    weight: ``train_temporal``, ``train_pca_singleview``, ``train_pca_multiview``. A TensorBoard logger also gets
    pictures of val with labels and predictions.

    Every labelled landmark of an optimiser step counts the same, whatever batches and processes its frame is in, and
    every batch's unlabelled window as much as the batch has frames.

    Args:
        settings: How the tracker learns.
        landmarks: What the V axis holds.
        poses: Planes fitted to the train labels, of the PCA losses that are on: ``singleview``, ``multiview``.
        labels_per_frame: Labelled landmarks of a train frame, their mean: a step's loss is a landmark's.
        transferred: Whether all weights come from an earlier training: then the backbone's are not random.
        others: As :class:`sign_recog.training.base.NetworkModule`.

    Attributes:
        ramp: The callback that lets the backbone wait; None where it does not. The Trainer must have it.

    Raises:
        ConfigError: If the backbone is to wait with random weights.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: PoseConfig,
        landmarks: NamedLandmarks,
        poses: Mapping[str, LinearPoses],
        build_optimizer: Callable[..., torch.optim.Optimizer],
        build_scheduler: Callable[..., Any],
        record: dict[str, Any],
        *,
        seed: int,
        labels_per_frame: float,
        transferred: bool = False,
    ):
        super().__init__(network, build_optimizer, build_scheduler, record, seed=seed)
        self._settings, self._landmarks, self._labels_per_frame = settings, landmarks, labels_per_frame
        self.unsupervised = UnsupervisedLosses(settings, poses)
        self._pictures: list[Picture] = []
        self.ramp: BackboneRamp | None = None
        if settings.unfreeze_epoch is not None:
            tracker: Any = network
            origin = tracker.pretrained or ("an earlier training" if transferred else "")
            self.ramp = BackboneRamp(tracker.backbone, settings, pretrained=origin)

    def forward(self, frames: Tensor) -> Any:
        """Outputs of the network, see :mod:`sign_recog.models.pose`."""
        return self.network(frames)

    def training_step(self, batch: PoseBatch, batch_idx: int) -> Tensor:
        share = clip_share(self.trainer, batch_idx)
        epoch = self._budget.epoch_of(self.global_step + 1) - 1
        outputs, losses = self._outputs(batch, epoch)
        objective = self._supervised("train", outputs, batch, counts=share > 0)
        if losses:
            objective = objective + self.unsupervised.objective(losses, epoch)
            if share > 0:
                count = len(batch["frames"])
                means = {f"train_{name}": (loss.detach() * count, count) for name, loss in losses.items()}
                self._totals.setdefault("train", Totals()).add(means)
        return objective * share

    def on_train_batch_end(self, outputs: Any, batch: PoseBatch, batch_idx: int) -> None:
        if self.trainer.is_last_batch or self.trainer.should_stop:
            self._log(self._totals.pop("train", Totals()).means())

    def validation_step(self, batch: PoseBatch, batch_idx: int) -> None:
        if not sampler_of(cast(DataLoader, self.trainer.val_dataloaders)).own(batch_idx):
            return
        outputs = self(batch["frames"])
        self._supervised("val", outputs, batch, counts=True)
        if batch_idx == 0:
            self._pictures = Picture.of_batch(batch, self._decode(outputs)[0])

    def on_validation_epoch_end(self) -> None:
        self._log(self._totals.pop("val", Totals()).means())
        if self.trainer.is_global_zero:
            show_pictures(self.loggers, self._pictures, self._landmarks, self.global_step)
        self._pictures = []

    def configure_optimizers(self) -> Any:
        if self.ramp is not None:
            build, ramp = self._build_optimizer, self.ramp

            def split(*arguments: Any) -> torch.optim.Optimizer:
                optimizer = build(*arguments)
                ramp.split_groups(optimizer)
                return optimizer

            self._build_optimizer = split
        return super().configure_optimizers()

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        if self.ramp is None:
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
            return
        with self.ramp.scaled(optimizer):
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)

    def probe_loss(self, batch: PoseBatch) -> Tensor:
        last = self._settings.anneal_from + 1  # an epoch with all losses
        outputs, losses = self._outputs(batch, last)
        objective = self._supervised("probe", outputs, batch, counts=False)
        return objective + self.unsupervised.objective(losses, last) if losses else objective

    def _outputs(self, batch: PoseBatch, epoch: int) -> tuple[Any, dict[str, Tensor]]:
        """Of the labelled frames, and the losses of the unlabelled ones where they count in ``epoch``."""
        frames, network = batch["frames"], cast(Any, self.network)
        if "video" not in batch or self.unsupervised.importance(epoch) == 0:
            return self(frames), {}
        video = batch["video"]
        if network.context:
            outputs, others = self(frames), network.run(video)
        else:  # together: batch norms see labelled frames and the video's, which are all alike
            both = self(torch.cat([frames, video]))
            outputs, others = ({name: value[part] for name, value in both.items()}
                               for part in (slice(len(frames)), slice(len(frames), None)))  # fmt: skip
        points, confidence = self._decode(others)
        return outputs, self.unsupervised(moved(points, batch["video_to_original"]), confidence.detach())

    def _supervised(self, split: str, outputs: Any, batch: PoseBatch, *, counts: bool) -> Tensor:
        """Mean loss of a labelled landmark, were every frame to have ``labels_per_frame`` of them."""
        network = cast(Any, self.network)
        if "heatmaps" in outputs:
            losses = heatmap_losses(outputs["heatmaps"], batch["points"], self._settings, network.output_stride)
        else:
            losses = regression_losses(outputs["points"], batch["points"], network.height, network.width)
        if counts:
            with torch.no_grad():
                real = labelled(batch["points"], network.height, network.width)
                points, _ = self._decode(outputs)
                affine = batch["to_original"]
                errors = (moved(points, affine) - moved(batch["points"], affine)).norm(dim=2).where(real, 0)
            count = real.sum()
            self._totals.setdefault(split, Totals()).add(
                {
                    f"{split}_loss": (losses.detach().sum(), count),
                    f"{split}_pixel_error": (errors.sum(), count),
                }
            )
        return losses.sum() / (len(losses) * self._labels_per_frame)

    def _decode(self, outputs: Any) -> tuple[Tensor, Tensor]:
        return cast(Any, self.network).decode(outputs)

"""A training of a tracker in seconds: the real module, Trainer and sampler over pictures that are made in memory."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from small_training import settings_from, trainer_settings
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from sign_recog.config.pose import PoseConfig
from sign_recog.data.samplers import BucketBatchSampler
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.landmarks.pca import LinearPoses, fit_multiview, fit_singleview
from sign_recog.models.pose import ContextTracker, HeatmapTracker
from sign_recog.training.budget import Budget, BudgetedTrainer
from sign_recog.training.pose import PoseModule
from sign_recog.training.trainer import build_trainer, fit
from sign_recog.types import PoseBatch

LANDMARKS = NamedLandmarks(("a", "b"), views=(("a",), ("b",)), limbs=(("a", "b"),))
SIZE = 32
SCALE = 3.0  # original pixels a pixel of the network's input


def pose_settings(**changes: Any) -> PoseConfig:
    return settings_from(PoseConfig, "pose/default", **changes)


class Dots(Dataset):
    """Pictures of a red and a blue dot; the blue one is not labelled in every third. ``video`` frames beside them."""

    augmentations = ()

    def __init__(self, number: int, *, seed: int, context: int = 0, video: int = 0):
        rng = np.random.default_rng(seed)
        self.points = rng.uniform(3, SIZE - 4, size=(number, 2, 2)).astype(np.float32)
        self.context, self.video = context, video
        self.labels = self.points.copy()
        self.labels[::3, 1] = np.nan

    def __len__(self) -> int:
        return len(self.points)

    def __getitems__(self, items: list[tuple[int, int]]) -> PoseBatch:
        index = [i for _, i in items]
        frames = torch.stack([drawn(self.points[i]) for i in index])
        if self.context:
            frames = frames[:, None].repeat(1, 2 * self.context + 1, 1, 1, 1)
        affine = torch.tensor([[SCALE, 0, 1.0], [0, SCALE, 1.0]])
        batch = PoseBatch(
            frames=frames,
            points=torch.from_numpy(self.labels[index]),
            to_original=affine.repeat(len(index), 1, 1),
            index=index,
            clip_id=[f"frame{i}" for i in index],
        )
        if self.video:
            start, step = self.points[index[0]], np.float32([[2, 0], [0, 2]])
            moving = [drawn(start + number * step) for number in range(self.video)]
            batch |= {"video": torch.stack(moving), "video_to_original": affine}
        return batch


def drawn(points: np.ndarray) -> Tensor:
    """(3, SIZE, SIZE) uint8."""
    places = np.arange(SIZE, dtype=np.float32)
    image = np.zeros((3, SIZE, SIZE), np.float32)
    for colour, (x, y) in zip((0, 2), points, strict=True):
        image[colour] = 250 * np.exp(-((places[None] - x) ** 2 + (places[:, None] - y) ** 2) / 8)
    return torch.from_numpy(image.astype(np.uint8))


def planes(points: np.ndarray) -> dict[str, LinearPoses]:
    """Fitted to labels in original pixels."""
    original = points * SCALE + 1
    single = fit_singleview(original, LANDMARKS, components=1, explained=1.0, centring=None)
    return {"singleview": single, "multiview": fit_multiview(original, LANDMARKS, components=3)}


def small_tracker(context: int = 0) -> nn.Module:
    torch.manual_seed(0)
    sizes = {"num_landmarks": 2, "height": SIZE, "width": SIZE, "backbone": "test_resnet", "weights": None}
    return (ContextTracker if context else HeatmapTracker)(**sizes, skip_channels=8, temperature=2.0)


class SmallPose:
    """Network, module, loaders and Trainer of one training; ``fit()`` runs it or goes on from its last.ckpt."""

    def __init__(
        self, folder: Path, pose: PoseConfig | None = None, *, network: nn.Module | None = None, num_frames: int = 10,
        video: int = 0, loggers: Any = (), schedule: Any = lambda step: 1.0, lr: float = 3e-3, sgd: bool = False,
        **trainer: Any,
    ):  # fmt: skip
        pose = pose or pose_settings()
        self.network: Any = network if network is not None else small_tracker()
        self.folder, settings = folder, trainer_settings(**{"batch_size": 4, "max_epochs": 2} | trainer)
        data = {
            "train": Dots(num_frames, seed=1, context=self.network.context, video=video),
            "val": Dots(5, seed=2, context=self.network.context),
        }
        record = {
            "task": "pose", "config": {"model": {"_target_": "x"}}, "landmarks": LANDMARKS.to_json(), "height": SIZE,
            "width": SIZE, "context": self.network.context, "pca": None, "extraction": None, "train_clips": [],
        }  # fmt: skip
        kind = torch.optim.SGD if sgd else torch.optim.Adam
        self.module = PoseModule(
            self.network, pose, LANDMARKS, planes(data["train"].labels),
            lambda network, own: kind(network.parameters(), lr=lr),
            lambda optimizer, total_steps, steps_per_epoch: torch.optim.lr_scheduler.LambdaLR(optimizer, schedule),
            record, seed=1, labels_per_frame=1.6,
        )  # fmt: skip
        samplers = {
            "train": BucketBatchSampler(
                np.ones(num_frames), settings.batch_size, seed=1, shuffle=True, bucketing=False,
                accumulate=settings.accumulate, steps_per_round=settings.eval_every_steps,
            ),
            "val": BucketBatchSampler(np.ones(5), settings.batch_size, seed=1, shuffle=False, bucketing=False),
        }  # fmt: skip
        self.loaders = {
            split: DataLoader(data[split], batch_sampler=sampler, collate_fn=_same)
            for split, sampler in samplers.items()
        }
        callbacks = [] if self.module.ramp is None else [self.module.ramp]
        budget = Budget.of(settings, num_frames)
        self.trainer: BudgetedTrainer = build_trainer(
            settings, folder, list(loggers), budget=budget, callbacks=callbacks,
            columns=("epoch", "step", "train_loss", "train_pixel_error", "train_temporal", "train_pca_singleview",
                     "train_pca_multiview", "val_loss", "val_pixel_error", "lr", "epoch_time_s"),
        )  # fmt: skip

    @property
    def last(self) -> Path:
        return self.folder / "checkpoints" / "last.ckpt"

    def fit(self) -> "SmallPose":
        resume = self.last if self.last.exists() else None
        fit(self.trainer, self.module, self.loaders["train"], self.loaders["val"], resume=resume)
        return self

    def weights(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.network.state_dict().items()}


def _same(batch: PoseBatch) -> PoseBatch:
    return batch

"""A training of seconds for tests: the real module, Trainer, sampler and callbacks over random vectors."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from sign_recog.cli import CONF_DIR
from sign_recog.config.trainer import TrainerConfig
from sign_recog.config.transfer import TransferConfig
from sign_recog.data.samplers import BucketBatchSampler
from sign_recog.models.heads import Heads
from sign_recog.training import budget
from sign_recog.training.budget import Budget, BudgetedTrainer
from sign_recog.training.module import SignClassifier
from sign_recog.training.trainer import build_trainer, fit
from sign_recog.types import Batch, Logits

GLOSSES = ("hello", "thanks", "you")
Callback = budget.pl.Callback  # Lightning can be imported only after our package, see sign_recog/training/__init__.py


def settings_from(schema: type, option: str, **changes: Any) -> Any:
    """A section of the configuration from its file in conf/; a nested key has dots as two underscores."""
    values = OmegaConf.load(CONF_DIR / f"{option}.yaml")
    del values["defaults"]
    node = OmegaConf.merge(OmegaConf.structured(schema), values)
    for name, value in changes.items():
        OmegaConf.update(node, name.replace("__", "."), value)
    found = OmegaConf.to_object(node)
    assert found.problems() == []
    return found


def trainer_settings(**changes: Any) -> TrainerConfig:
    small = {"max_epochs": 3, "batch_size": 4, "accelerator": "cpu", "bucketing": False, "gradient_clip": None}
    return settings_from(TrainerConfig, "trainer/default", **small | changes)


def transfer_settings(**changes: Any) -> TransferConfig:
    return settings_from(TransferConfig, "transfer/none", **changes)


class SmallNetwork(nn.Module):
    """A projection, two layers with BatchNorm and dropout, and the usual heads."""

    def __init__(
        self,
        *,
        num_glosses: int = len(GLOSSES),
        dim: int = 8,
        num_categories: int = 0,
        dropout: float = 0.2,
        num_languages: int = 1,
    ):
        super().__init__()
        self.projection = nn.Linear(4, dim)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, dim), nn.BatchNorm1d(dim), nn.Dropout(dropout)) for _ in range(2)
        )
        sizes = {"num_glosses": num_glosses, "num_categories": num_categories, "num_languages": num_languages}
        self.heads = Heads(dim, dropout=0.0, language_dim=2, **sizes)

    def forward(self, sequence: Tensor, padding_mask: Tensor) -> Logits:
        x = self.projection(sequence.mean(dim=1))
        for layer in self.layers:
            x = layer(x)
        return self.heads(x)


class GlossLoss(nn.Module):
    """What the module asks of a loss, with nothing but cross-entropy of glosses."""

    class _Weights:
        @staticmethod
        def weights() -> dict[str, Tensor]:
            return {}

    weighting = _Weights()

    def forward(self, logits: Logits, batch: Batch) -> dict[str, Tensor]:
        return {"gloss": F.cross_entropy(logits["gloss_logits"], batch["gloss"])}

    def objective(self, losses: dict[str, Tensor], *, epoch: int) -> Tensor:
        return losses["gloss"]

    def total(self, losses: dict[str, Tensor]) -> Tensor:
        return losses["gloss"]

    def penalty(self) -> None:
        return None


class Vectors(Dataset):
    """Clips of one frame of 4 numbers, whose label is the largest of the first three."""

    augmentations = ()

    def __init__(self, num_clips: int):
        rng = np.random.default_rng(0)
        self.sequences = torch.from_numpy(rng.normal(size=(num_clips, 1, 4)).astype(np.float32))
        self.glosses = self.sequences[:, 0, :3].argmax(dim=1)

    def __len__(self) -> int:
        return len(self.glosses)

    def __getitems__(self, items: list[tuple[int, int]]) -> Batch:
        index = torch.tensor([i for _, i in items])
        return Batch(
            sequence=self.sequences[index],
            padding_mask=torch.zeros(len(index), 1, dtype=torch.bool),
            gloss=self.glosses[index],
            category=torch.full_like(index, -1),
            clip_id=[f"clip{i}" for i in index.tolist()],
        )


class SmallTraining:
    """Network, module, loaders and Trainer of one training; ``fit()`` runs it or goes on from its last.ckpt."""

    def __init__(
        self, folder: Path, settings: TrainerConfig, *, network: nn.Module | None = None, num_clips: int = 22,
        make_callbacks: Any = lambda network: [], lr: float = 0.02, schedule: Any = lambda step: 1.0, sgd: bool = False,
        num_workers: int = 0,
    ):  # fmt: skip
        torch.manual_seed(0)
        self.folder, self.settings = folder, settings
        self.network = network if network is not None else SmallNetwork()
        callbacks = make_callbacks(self.network)
        record = {
            "config": {"model": {"_target_": "SmallNetwork"}}, "glosses": list(GLOSSES), "categories": [],
            "languages": [], "input_dim": 4, "extraction": None, "train_clips": [],
        }  # fmt: skip
        kind = torch.optim.SGD if sgd else torch.optim.AdamW
        self.module = SignClassifier(
            self.network,
            GlossLoss(),
            lambda network, own: kind(network.parameters(), lr=lr),
            lambda optimizer, total_steps, steps_per_epoch: torch.optim.lr_scheduler.LambdaLR(optimizer, schedule),
            record,
            seed=1,
        )
        data = {"train": Vectors(num_clips), "val": Vectors(10)}
        self.sampler = BucketBatchSampler(
            np.ones(num_clips), settings.batch_size, seed=1, shuffle=True, bucketing=settings.bucketing,
            accumulate=settings.accumulate, steps_per_round=settings.eval_every_steps,
        )  # fmt: skip
        plain = BucketBatchSampler(np.ones(10), 4, seed=1, shuffle=False, bucketing=False)
        self.loaders = [
            DataLoader(
                data[split],
                batch_sampler=sampler,
                collate_fn=_same,
                num_workers=workers,
                persistent_workers=workers > 0,
            )
            for split, sampler, workers in (("train", self.sampler, num_workers), ("val", plain, 0))
        ]
        budget = Budget.of(settings, num_clips)
        self.trainer: BudgetedTrainer = build_trainer(settings, folder, [], budget=budget, callbacks=callbacks)

    @property
    def last(self) -> Path:
        return self.folder / "checkpoints" / "last.ckpt"

    def fit(self) -> "SmallTraining":
        fit(self.trainer, self.module, *self.loaders, resume=self.last if self.last.exists() else None)
        return self

    def weights(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.network.state_dict().items()}


def _same(batch: Batch) -> Batch:
    return batch

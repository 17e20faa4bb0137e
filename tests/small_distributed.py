"""What the processes of tests/training/test_distributed.py do; a spawned process must find it by its module's name."""

import os
import signal
from pathlib import Path
from typing import Any

import torch
from small_training import Callback, SmallNetwork, SmallTraining, trainer_settings, transfer_settings
from torch import Tensor, nn

from sign_recog.models.heads import Heads
from sign_recog.training.freeze import Freeze
from sign_recog.training.processes import rank_and_size
from sign_recog.training.schedulers import plateau
from sign_recog.types import Logits


class PlainNetwork(nn.Module):
    """Neither BatchNorm nor dropout: its outcome does not depend on who shares a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.projection, self.layer = nn.Linear(4, 8), nn.Linear(8, 8)
        self.heads = Heads(8, num_glosses=3, num_categories=0, num_languages=1, dropout=0.0, language_dim=2)

    def forward(self, sequence: Tensor, padding_mask: Tensor) -> Logits:
        return self.heads(self.layer(torch.relu(self.projection(sequence.mean(dim=1)))))


def train(folder: Path, settings: dict[str, Any], given: dict[str, Any], event: str | None = None) -> dict[str, Any]:
    """Train, and return the weights, the clips that learnt, and what the module logged last."""
    torch.set_num_threads(1)
    watch = Watch(event)
    given = dict(given)
    noisy = given.pop("noisy", False)
    parts = given.pop("freeze", None)
    fast_plateau = given.pop("plateau", False)
    torch.manual_seed(0)
    training = SmallTraining(
        folder,
        trainer_settings(**settings),
        network=SmallNetwork() if noisy else PlainNetwork(),
        make_callbacks=lambda network: [watch, *([Freeze(network, transfer_settings(**parts))] if parts else [])],
        **given,
    )
    if fast_plateau:
        training.module._build_scheduler = lambda optimizer, total_steps, steps_per_epoch: plateau(
            optimizer, total_steps=total_steps, steps_per_epoch=steps_per_epoch, warmup_epochs=1, monitor="val_loss",
            mode="min", factor=0.5, patience=0, min_delta=0.05, min_ratio=0.0,
        )  # fmt: skip
    training.fit()
    metrics = {name: float(value) for name, value in training.trainer.callback_metrics.items()}
    return {"weights": training.weights(), "seen": watch.seen, "masks": watch.masks, "metrics": metrics}


class Watch(Callback):
    """Notes the clips of each step of every process, and makes what a test asks for happen to rank 1."""

    def __init__(self, event: str | None):
        self.event, self.seen, self.masks = event, [], []
        self.after = 4 if event == "killed" else 2  # steps; an epoch has 3

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if len(batch["clip_id"]) and pl_module.training:
            self.seen.append((trainer.current_epoch, batch_idx, batch["clip_id"]))
        if rank_and_size()[0] != 1 or trainer.global_step < self.after:
            return
        if self.event == "nan" and batch_idx == 2:
            batch["sequence"][0] = float("nan")
        if self.event == "killed":
            os.kill(os.getpid(), signal.SIGKILL)

    def on_train_batch_end(self, *_):
        self.masks.append(torch.default_generator.initial_seed())


def train_all(cases: list[tuple[Path, dict[str, Any], dict[str, Any]]]) -> list[dict[str, Any]]:
    """One training after the other, since processes take long to start."""
    return [train(*case) for case in cases]

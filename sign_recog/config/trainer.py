"""How long, how often, how exactly: the settings of a training, group ``trainer``."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from omegaconf import MISSING

if TYPE_CHECKING:
    from sign_recog.config.schema import Config

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
ACCELERATORS = ("auto", "cpu", "gpu")
# What a checkpoint, a stop or a schedule can go by.
RECOGNITION_METRICS = ("val_loss", "val_gloss_acc", "val_category_acc")
TRANSLATION_METRICS = ("val_loss", "val_bleu4", "val_chrf", "val_token_acc")
POSE_METRICS = ("val_loss", "val_pixel_error")
MONITORED = (*RECOGNITION_METRICS, *TRANSLATION_METRICS[1:], *POSE_METRICS[1:])
FALLING = ("val_loss", "val_pixel_error")  # those of which less is better


class Select(str, Enum):
    """Which checkpoint counts as the result of a training."""

    best = "best"
    last = "last"


class Mode(str, Enum):
    """Whether a metric should fall or rise."""

    min = "min"
    max = "max"


def mode_problems(key: str, metric: str, mode_key: str, mode: Mode) -> list[str]:
    """What is wrong with a metric and its mode; the wrong mode would take the worst for the best."""
    if metric not in MONITORED:
        return [f"{key}={metric} is not measured. Use one of {', '.join(MONITORED)}."]
    right = Mode.min if metric in FALLING else Mode.max
    if mode is right:
        return []
    return [f"{mode_key}={mode.value} would take the worst {key}={metric} for the best. Use {mode_key}={right.value}."]


@dataclass
class EmaConfig:
    """A moving average of the weights, updated at every step; it is what is evaluated and kept (training/ema.py)."""

    enabled: bool = MISSING
    decay: float = MISSING  # share of the average that a step keeps
    warmup: bool = MISSING  # start with a short memory: the share is at most (1 + step) / (10 + step)


@dataclass
class EarlyStoppingConfig:
    """Stop when ``metric`` has not improved by ``min_delta`` for ``patience`` evaluations."""

    enabled: bool = MISSING
    metric: str = MISSING
    mode: Mode = MISSING
    patience: int = MISSING  # evaluations; without eval_every_steps that is epochs
    min_delta: float = MISSING


@dataclass
class TrainerConfig:
    """Budget, batches, precision, and which checkpoint is kept."""

    max_epochs: int | None = MISSING  # the budget, in epochs ...
    max_steps: int | None = MISSING  # ... or in optimiser steps; the other is null
    eval_every_steps: int | None = MISSING  # optimiser steps between evaluations; null = one epoch
    batch_size: int = MISSING  # clips, of all devices together
    accumulate: int = MISSING  # batches whose gradients make one optimiser step
    bucketing: bool = MISSING  # clips of similar length share a batch
    accelerator: str = MISSING
    devices: int | str = MISSING  # processes that share every batch, a GPU each; auto = as many as there are GPUs
    precision: str = MISSING
    compile: bool = MISSING  # torch.compile the network
    memory_probe: bool = MISSING  # on a GPU, try the largest batch before the first step
    gradient_clip: float | None = MISSING  # norm; null = none
    num_workers: int = MISSING  # loader processes; 0 = none
    num_threads: int | None = MISSING  # torch threads a process; null = torch's choice
    select: Select = MISSING
    monitor: str = MISSING  # the metric that decides which checkpoint is best
    monitor_mode: Mode = MISSING
    keep: int = MISSING  # checkpoints of the latest evaluations that stay; 1 = last.ckpt alone
    train_on_val: bool = MISSING  # train on train and val, with settings chosen before
    ema: EmaConfig = field(default_factory=EmaConfig)
    early_stopping: EarlyStoppingConfig = field(default_factory=EarlyStoppingConfig)

    def problems(self) -> list[str]:
        return [
            *self._budget_problems(),
            *self._number_problems(),
            *self._choice_problems(),
            *(self._unjudged_problems() if self.train_on_val else []),
        ]

    def contradictions(self, config: "Config") -> list[str]:
        """What does not go together with the other sections."""
        if not self.train_on_val:
            return []
        found = []
        if metric := getattr(config.scheduler, "monitor", None):
            found.append(
                f"trainer.train_on_val=true leaves no unseen clips, but the scheduler goes by {metric}. "
                "Use scheduler=warmup_cosine, or another that follows the epochs."
            )
        if config.transfer.freeze_until_convergence:
            found.append(
                "trainer.train_on_val=true leaves no unseen clips, but transfer.freeze_until_convergence=true goes by "
                "val_loss. Set it to false."
            )
        return found

    def _unjudged_problems(self) -> list[str]:
        found = []
        if self.select is Select.best:
            found.append(
                "trainer.train_on_val=true leaves no unseen clips to choose the best checkpoint by. "
                "Use trainer.select=last."
            )
        if self.early_stopping.enabled:
            found.append(
                "trainer.train_on_val=true leaves no unseen clips to stop by. Use trainer.early_stopping.enabled=false "
                "and the number of epochs that was best on val, trainer.max_epochs=NUMBER."
            )
        return found

    def _budget_problems(self) -> list[str]:
        if self.max_epochs is None and self.max_steps is None:
            return ["trainer.max_epochs=null and trainer.max_steps=null set no end. Give one of them."]
        if self.max_epochs is not None and self.max_steps is not None:
            return [
                f"trainer.max_epochs={self.max_epochs} and trainer.max_steps={self.max_steps} are two budgets. "
                "Set one of them to null."
            ]
        return []

    def _number_problems(self) -> list[str]:
        found = []
        for name in ("max_epochs", "max_steps", "eval_every_steps", "batch_size", "accumulate", "keep"):
            value = getattr(self, name)
            if value is not None and value < 1:
                found.append(f"trainer.{name}={value} must be at least 1.")
        if self.num_workers < 0:
            found.append(f"trainer.num_workers={self.num_workers} must be 0 (load in this process) or more.")
        if self.num_threads is not None and self.num_threads < 1:
            found.append(f"trainer.num_threads={self.num_threads} must be at least 1, or null for torch's choice.")
        if self.gradient_clip is not None and self.gradient_clip <= 0:
            found.append(f"trainer.gradient_clip={self.gradient_clip} must be above 0, or null for none.")
        if self.early_stopping.patience < 1:
            found.append(f"trainer.early_stopping.patience={self.early_stopping.patience} must be at least 1.")
        if self.early_stopping.min_delta < 0:
            found.append(f"trainer.early_stopping.min_delta={self.early_stopping.min_delta} must not be negative.")
        if not 0 < self.ema.decay < 1:
            found.append(f"trainer.ema.decay={self.ema.decay} must lie between 0 and 1, say 0.999.")
        return found

    def _choice_problems(self) -> list[str]:
        found = []
        if isinstance(self.devices, str) and self.devices != "auto":
            found.append(f"trainer.devices={self.devices} is no number. Use 1, another number, or auto (all GPUs).")
        elif self.devices != "auto" and not 1 <= int(self.devices) <= max(1, self.batch_size):
            found.append(
                f"trainer.devices={self.devices} must be at least 1, and at most trainer.batch_size={self.batch_size}: "
                "the devices share every batch, and each needs a clip."
            )
        for name, known in (("precision", PRECISIONS), ("accelerator", ACCELERATORS)):
            if getattr(self, name) not in known:
                found.append(f"trainer.{name}={getattr(self, name)} is unknown. Use one of {', '.join(known)}.")
        stop = self.early_stopping
        found += mode_problems("trainer.monitor", self.monitor, "trainer.monitor_mode", self.monitor_mode)
        found += mode_problems("trainer.early_stopping.metric", stop.metric, "trainer.early_stopping.mode", stop.mode)
        return found

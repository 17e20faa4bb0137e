"""How many optimiser steps a training takes, and after how many it is evaluated.

A round is what lies between two evaluations. It is Lightning's epoch: checkpoints are written when a round is
over, so a resumed training always starts a whole one. Without ``trainer.eval_every_steps`` a round is an epoch.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, cast

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from sign_recog.config.trainer import TrainerConfig
from sign_recog.data.samplers import BucketBatchSampler


@dataclass(frozen=True)
class Budget:
    """Clips, steps and rounds of a training.

    Attributes:
        num_clips: Of the train split; batches, where those are made by the number of tokens.
        group_size: Clips a step: those of ``trainer.accumulate`` batches.
        total_steps: Optimiser steps of the whole training.
        eval_every_steps: Steps a round; None = an epoch.
    """

    num_clips: int
    group_size: int
    total_steps: int
    eval_every_steps: int | None

    @classmethod
    def of(cls, settings: TrainerConfig, num_clips: int) -> "Budget":
        """The budget that ``settings`` mean for ``num_clips`` train clips."""
        group_size, every = settings.batch_size * settings.accumulate, settings.eval_every_steps
        if settings.max_steps is not None:
            total = settings.max_steps
        else:
            epochs = settings.max_epochs or 0
            # With eval_every_steps clips left over from an epoch share a step with the next epoch's first.
            total = math.ceil(epochs * num_clips / group_size) if every else epochs * math.ceil(num_clips / group_size)
        return cls(num_clips=num_clips, group_size=group_size, total_steps=total, eval_every_steps=every)

    @classmethod
    def of_batches(cls, settings: TrainerConfig, num_batches: int) -> "Budget":
        """The budget of a training whose epochs have so many batches each, of whatever size; they count as clips."""
        return cls.of(replace(settings, batch_size=1), num_batches)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every clip comes once; the last may be smaller."""
        return math.ceil(self.num_clips / self.group_size)

    @property
    def steps_per_round(self) -> int:
        """Steps between two evaluations."""
        return self.eval_every_steps or self.steps_per_epoch

    @property
    def rounds(self) -> int:
        """Evaluations; the last round may be shorter."""
        return math.ceil(self.total_steps / self.steps_per_round)

    @property
    def epochs(self) -> int:
        """Epochs begun by the end."""
        return self.epoch_of(self.total_steps)

    def epoch_of(self, step: int) -> int:
        """The epoch, counted from 1, that the last of ``step`` steps belongs to."""
        if self.eval_every_steps is None:
            return math.ceil(step / self.steps_per_epoch)
        return math.ceil(step * self.group_size / self.num_clips)


class BudgetedTrainer(pl.Trainer):
    """Lightning's Trainer, which knows budgets in steps that end within a round."""

    def __init__(self, budget: Budget, **settings: Any):
        self.budget = budget
        super().__init__(max_epochs=budget.rounds, **settings)
        # Before every batch Lightning 2.6 lets all processes ask each other for a SIGTERM, and a GPU's queue run empty
        # for it. Here the signal is the parent's business (training/processes.py).
        self.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]

    @property
    def estimated_stepping_batches(self) -> int:
        """Optimiser steps of the whole training, for schedulers."""
        return self.budget.total_steps


class StopAtBudget(pl.Callback):
    """End the last round where the budget of steps is used up; what has been trained is still evaluated and saved.

    Lightning's own ``max_steps`` resumes by other rules than epochs do, and skips that last evaluation.
    """

    def __init__(self, budget: Budget):
        self._budget = budget

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step >= self._budget.total_steps:
            trainer.should_stop = True


def clip_share(trainer: pl.Trainer, batch_idx: int) -> float:
    """What to multiply a batch's mean loss by so that, whatever batches and processes a step's clips are divided
    among, each counts the same."""
    if trainer.accumulate_grad_batches == 1 and trainer.world_size == 1:
        return 1.0
    return sampler_of(cast(DataLoader, trainer.train_dataloader)).share(batch_idx)


def sampler_of(loader: DataLoader) -> BucketBatchSampler:
    """What makes a loader's batches."""
    return cast(BucketBatchSampler, loader.batch_sampler)

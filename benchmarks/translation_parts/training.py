"""Epochs of run=translate over the same optimiser steps on batches held in memory."""

import argparse
import tempfile
from pathlib import Path

from translation_parts.corpora import configured, networks, told

GOAL = 0.9


def training(arguments: argparse.Namespace, folder: Path) -> bool:
    """Our epochs over the same steps on batches in memory."""
    met = []
    for name, overrides in networks().items():
        clips = 2 * arguments.clips if name == "gloss2text" else arguments.clips
        config = configured(folder, overrides, clips, f"trainer.max_epochs={arguments.epochs}")
        met.append(told(f"translation_training_{name}", training_ratio(config, folder, clips), GOAL))
    return all(met)


def training_ratio(config, folder: Path, num_clips: int) -> float:
    """Median over the epochs."""
    import torch
    from training import as_callback

    from sign_recog.stages import translate
    from sign_recog.training.callbacks import TRANSLATION_COLUMNS
    from sign_recog.training.trainer import build_trainer

    torch.set_num_threads(1)
    material = shortened(translate.read_material(config), num_clips)
    module, loaders = translate.assemble(config, material), translate._loaders(config, material)
    with tempfile.TemporaryDirectory(dir=folder) as run_folder:
        budget = translate._budget(config, loaders)
        trainer = build_trainer(config.trainer, Path(run_folder), [], budget=budget, columns=TRANSLATION_COLUMNS)
        beside = as_callback(Resident(loaders["train"], module, config))
        trainer.callbacks = [c for c in trainer.callbacks if getattr(c, "monitor", None) is None]  # nothing to monitor
        trainer.callbacks.insert(0, beside)
        trainer.fit(module, loaders["train"])
    return beside.ratio()


class Resident:
    """An epoch's steps on its batches, held in memory."""

    def __init__(self, loader, module, config):
        import copy

        self.batches, self.num_clips = list(loader), len(loader.dataset)
        self.network = copy.deepcopy(module.network).train()
        self.optimizer = module._build_optimizer(self.network)
        self.clip, self.smoothing = config.trainer.gradient_clip, config.loss.label_smoothing

    def epoch(self) -> None:
        for batch in self.batches:
            self.step(batch)

    def step(self, batch) -> None:
        import torch

        from sign_recog.training.translation import token_losses

        self.optimizer.zero_grad()
        logits = self.network(batch["sequence"], batch["padding_mask"], batch["labels"])
        losses = token_losses(logits, batch["labels"], self.smoothing)
        (losses.objective / losses.tokens).backward()
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimizer.step()


def shortened(material, num_clips: int):
    """The same with the first ``num_clips`` of train."""
    train = material.sets["train"]
    train.clips, train.labels = train.clips[:num_clips], train.labels[:num_clips]
    train.copies = [FirstOf(one, num_clips) for one in train.copies]
    return material


class FirstOf:
    """The first sequences of several."""

    def __init__(self, sequences, count: int):
        self._sequences, self.lengths = sequences, sequences.lengths[:count]

    def __getattr__(self, name: str):
        return getattr(self._sequences, name)

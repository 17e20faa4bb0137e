"""Checkpoints on disk: the best, the last, and if asked for some before it, each whole or not there at all."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning.callbacks import ModelCheckpoint

from sign_recog.config.trainer import TrainerConfig
from sign_recog.storage import atomic


def checkpoint_callbacks(settings: TrainerConfig, folder: Path) -> list[ModelCheckpoint]:
    """Writers of ``best.ckpt`` by ``trainer.monitor``, of the ``trainer.keep`` latest, and of ``last.ckpt``.

    ``last.ckpt`` is written last: when it is there, the others of its round are too.
    """
    best = WholeRounds(folder, filename="best", monitor=settings.monitor, mode=settings.monitor_mode.value)
    last = WholeRounds(folder, filename="last")
    if settings.keep == 1:
        return [best, last]
    # Ordered by the number of steps, not by file names, in which step 9 would come after step 10.
    latest = WholeRounds(
        folder, filename="step{step:07.0f}", auto_insert_metric_name=False,
        monitor="step", mode="max", save_top_k=settings.keep,
    )  # fmt: skip
    return [best, latest, last]


class WholeRounds(ModelCheckpoint):
    """Written when a round and its validation are over; remembers its files when their folder has moved."""

    def __init__(self, folder: Path, **settings: Any):
        super().__init__(dirpath=folder, save_on_train_epoch_end=True, enable_version_counter=False, **settings)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Lightning forgets the best score if the folder has another path now; its files are still our own."""

        def here(path: str) -> str:
            return str(Path(str(self.dirpath)) / Path(path).name) if path else path

        moved = {name: here(path) for name, path in state_dict.items() if name.endswith("_path")}
        kept = {here(path): score for path, score in state_dict["best_k_models"].items()}
        self.current_score = state_dict["current_score"]  # which Lightning writes and does not read
        super().load_state_dict(state_dict | moved | {"dirpath": self.dirpath, "best_k_models": kept})


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints appear whole or not at all."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        with atomic.replaced(Path(os.fspath(path))) as temporary:
            torch.save(checkpoint, temporary)

"""Where numbers go besides metrics.csv. Each function makes one Lightning logger for a run folder."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sign_recog.config.identity import digest

if TYPE_CHECKING:
    from pytorch_lightning.loggers import TensorBoardLogger, WandbLogger


def tensorboard(run_dir: Path) -> "TensorBoardLogger":
    """Event files in ``<run_dir>/tb``; a resumed run goes on in the same folder."""
    from pytorch_lightning.loggers import TensorBoardLogger

    return TensorBoardLogger(save_dir=run_dir, name="tb", version="")


def wandb(run_dir: Path, *, project: str, entity: str | None) -> "WandbLogger":
    """A Weights & Biases run; its id comes from the folder, so a resumed run goes on in the same one.

    Without WANDB_API_KEY it is written offline below ``<run_dir>/wandb``; ``wandb sync`` sends it later.
    """
    from pytorch_lightning.loggers import WandbLogger

    name = "-".join(run_dir.parts[-3:])
    return WandbLogger(
        save_dir=run_dir,
        project=project,
        entity=entity,
        name=name,
        id=digest(str(run_dir)),
        resume="allow",
        offline="WANDB_API_KEY" not in os.environ,
    )

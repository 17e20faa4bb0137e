"""One dataclass a group: names, types and meanings. Every default value lives in conf/, none here.

``problems()`` returns what is wrong with a section, each as one sentence with key, value and remedy.
"""

import functools
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from omegaconf import MISSING

from sign_recog.config.evaluation import EvaluationConfig
from sign_recog.config.launcher import LauncherConfig
from sign_recog.config.loss import LossConfig
from sign_recog.config.optim import OptimConfig
from sign_recog.config.pose import PoseConfig
from sign_recog.config.split import SplitConfig
from sign_recog.config.trainer import TrainerConfig
from sign_recog.config.transfer import TransferConfig
from sign_recog.config.translation import GenerationConfig, TranslationConfig


class Crop(str, Enum):
    """What says where the signer is in the picture."""

    annotation = "annotation"  # the corpus's own boxes
    pose = "pose"  # the union of the poses that are detected


@dataclass
class PathsConfig:
    """Every folder the project writes. The folder of the user's own videos is ``data.source``."""

    data_root: str = MISSING  # prepared corpora: manifests, keypoints, caches
    output_root: str = MISSING  # one folder a run
    run_dir: str = MISSING


@dataclass
class DataConfig:
    """A corpus: where its annotation is, how it is read, and how it is split."""

    name: str = MISSING  # its folder below paths.data_root
    source: str | None = MISSING  # the user's annotation file or folder
    corpus: Any = MISSING  # the reader: _target_ and its settings
    video_dir: str | None = MISSING  # for a reader that asks for it
    clip_size: int | None = MISSING  # pixels; clips are encoded once with this shorter side; null = they are not
    crop: Crop | None = MISSING  # what encoded clips are cut to; null = the whole picture
    min_frames: int = MISSING  # shorter clips are left out
    glosses: list[str] | None = MISSING  # keep only these; null = all
    exclude_glosses: list[str] = MISSING
    categories: list[str] | None = MISSING  # keep only glosses of these; null = all
    split: SplitConfig = field(default_factory=SplitConfig)

    def problems(self) -> list[str]:
        found = self.split.problems()
        if not self.name or "/" in self.name or self.name.startswith("."):
            found.append(f"data.name={self.name!r} names a folder below paths.data_root. Use a plain name.")
        if self.clip_size is not None and (self.clip_size < 32 or self.clip_size % 2):
            found.append(f"data.clip_size={self.clip_size} must be even (H.264, yuv420p) and at least 32, or null.")
        if self.crop is not None and self.clip_size is None:
            found.append(
                f"data.crop={self.crop.value} has no effect on videos that are read as they are. "
                "Set data.clip_size=256, or data.crop=null."
            )
        if self.min_frames < 1:
            found.append(f"data.min_frames={self.min_frames} must be at least 1.")
        return found


@dataclass
class Config:
    """A whole experiment, as composed from conf/config.yaml."""

    name: str = MISSING
    seed: int = MISSING
    dry_run: bool = MISSING  # say what the command would do, and do nothing
    paths: PathsConfig = field(default_factory=PathsConfig)
    run: Any = MISSING  # the stage's own class from config/runs
    data: DataConfig = field(default_factory=DataConfig)
    modality: Any = MISSING  # the modality's own class from config/modalities
    tokenizer: Any = MISSING  # how sentences become numbers, with a _target_; empty = they are not used
    augment: Any = MISSING
    extractor: Any = MISSING
    model: Any = MISSING
    optim: Any = MISSING
    scheduler: Any = MISSING
    loss: LossConfig = field(default_factory=LossConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    transfer: TransferConfig = field(default_factory=TransferConfig)
    translation: TranslationConfig = field(default_factory=TranslationConfig)
    generation: GenerationConfig = field(default_factory=GenerationConfig)
    pose: PoseConfig = field(default_factory=PoseConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    logger: Any = MISSING
    launcher: LauncherConfig = field(default_factory=LauncherConfig)

    def problems(self) -> list[str]:
        """Contradictions between sections."""
        found = []
        if not 0 <= self.seed < 2**32:
            found.append(f"seed={self.seed} must lie between 0 and {2**32 - 1}, as NumPy's must.")
        if self.trainer.monitor == "val_category_acc" and self.loss.category_weight == 0:
            found.append(
                "trainer.monitor=val_category_acc needs a category head, but loss.category_weight=0. "
                "Raise loss.category_weight, or monitor val_gloss_acc."
            )
        if not self.name or self.name.startswith(("/", ".")):
            found.append(f"name={self.name!r} names a folder below paths.output_root. Use a plain name.")
        return found


@functools.cache
def register_schemas() -> None:
    """Make the dataclasses known to Hydra as the bases of the YAML files."""
    from hydra.core.config_store import ConfigStore

    from sign_recog.config import corpora, identity, modalities, runs, schedulers, weightings

    identity.register_resolver()
    store = ConfigStore.instance()
    store.store(name="config_schema", node=Config)
    for group, node in {
        "data": DataConfig,
        "loss": LossConfig,
        "optim": OptimConfig,
        "trainer": TrainerConfig,
        "transfer": TransferConfig,
        "translation": TranslationConfig,
        "generation": GenerationConfig,
        "pose": PoseConfig,
        "evaluation": EvaluationConfig,
        "launcher": LauncherConfig,
    }.items():
        store.store(group=group, name=f"{group}_schema", node=node)
    packages = {
        "run": runs,
        "data": corpora,
        "modality": modalities,
        "scheduler": schedulers,
        "loss/weighting": weightings,
    }
    for group, package in packages.items():
        for name, node in package.schemas().items():
            store.store(group=group, name=f"{name}_schema", node=node)

"""One dataclass a group: names, types and meanings. Every default value lives in conf/, none here.

``problems()`` returns what is wrong with a section, each as one sentence with key, value and remedy.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from omegaconf import MISSING


class Cluster(str, Enum):
    """Where a command's jobs run. A str, so that it can key an interpolation."""

    local = "local"
    local_parallel = "local_parallel"
    slurm = "slurm"


class SplitStrategy(str, Enum):
    """Where train, val and test come from."""

    given = "given"
    random = "random"
    signer_disjoint = "signer_disjoint"


class Imputation(str, Enum):
    """How gaps in the landmarks are filled (landmarks/impute.py)."""

    parts = "parts"
    gaps = "gaps"


class Normalization(str, Enum):
    """Which coordinates the network sees (landmarks/normalize.py)."""

    neck = "neck"
    chest = "chest"
    image = "image"


class Select(str, Enum):
    """Which checkpoint counts as the result of a training."""

    best = "best"
    last = "last"


class Mode(str, Enum):
    """Whether a metric should fall or rise."""

    min = "min"
    max = "max"


@dataclass
class PathsConfig:
    """Every folder the project writes. The folder of the user's own videos is ``data.source``."""

    data_root: str = MISSING  # prepared corpora: manifests, keypoints, caches
    output_root: str = MISSING  # one folder a run
    run_dir: str = MISSING


@dataclass
class SplitConfig:
    """How clips are divided; shares are of clips, the rest is train."""

    strategy: SplitStrategy = MISSING
    val_share: float = MISSING
    test_share: float = MISSING
    seed: int = MISSING
    drop_partial_glosses: bool = MISSING  # leave out glosses that a split lacks; they are named

    def problems(self) -> list[str]:
        if self.strategy is SplitStrategy.given:
            return []
        bad = [name for name in ("val_share", "test_share") if not 0 < getattr(self, name) < 1]
        found = [f"data.split.{name}={getattr(self, name)} must lie between 0 and 1, say 0.1." for name in bad]
        if not bad and self.val_share + self.test_share >= 1:
            found.append(
                f"data.split.val_share={self.val_share} and data.split.test_share={self.test_share} leave nothing "
                "to train on. Let them add up to less than 1, say 0.1 and 0.1."
            )
        return found


@dataclass
class DataConfig:
    """A corpus: where its annotation is, how it is read, and how it is split."""

    name: str = MISSING  # its folder below paths.data_root
    source: str | None = MISSING  # the user's annotation file or folder
    corpus: Any = MISSING  # the reader: _target_ and its settings
    glosses: list[str] | None = MISSING  # keep only these; null = all
    exclude_glosses: list[str] = MISSING
    categories: list[str] | None = MISSING  # keep only glosses of these; null = all
    split: SplitConfig = field(default_factory=SplitConfig)

    def problems(self) -> list[str]:
        found = self.split.problems()
        if not self.name or "/" in self.name or self.name.startswith("."):
            found.append(f"data.name={self.name!r} names a folder below paths.data_root. Use a plain name.")
        return found


@dataclass
class ModalityConfig:
    """What the network reads, made from keypoint files in this order of fields."""

    layout: str = MISSING  # landmark layout, landmarks/layout.py
    coordinates: int = MISSING  # 2 = x and y; 3 = x, y and z
    imputation: Imputation = MISSING
    max_gap: int = MISSING  # frames; only imputation=gaps reads it
    normalization: Normalization = MISSING
    presence: bool = MISSING  # append, for every part, 1 = detected and 0 = filled in
    limit: float | None = MISSING  # normalised coordinates are cut to -limit..limit; null = as they are

    def problems(self) -> list[str]:
        found = []
        if self.coordinates not in (2, 3):
            found.append(f"modality.coordinates={self.coordinates} must be 2 (x, y) or 3 (x, y, z).")
        if self.limit is not None and self.limit <= 0:
            found.append(f"modality.limit={self.limit} must be above 0, or null to leave coordinates as they are.")
        if self.max_gap < 1:
            found.append(f"modality.max_gap={self.max_gap} must be at least 1 frame.")
        if self.normalization is Normalization.image and self.coordinates == 3:
            found.append(
                "modality.normalization=image has no depth in the image, so modality.coordinates=3 cannot be met. "
                "Use modality.coordinates=2, or modality.normalization=neck."
            )
        return found


@dataclass
class LossConfig:
    """Cross-entropy on the gloss head and, if its weight is above 0, on the category head."""

    label_smoothing: float = MISSING
    gloss_weight: float = MISSING
    category_weight: float = MISSING

    def problems(self) -> list[str]:
        found = []
        if not 0 <= self.label_smoothing < 1:
            found.append(f"loss.label_smoothing={self.label_smoothing} must lie in [0, 1), say 0.1.")
        for name in ("gloss_weight", "category_weight"):
            if getattr(self, name) < 0:
                found.append(f"loss.{name}={getattr(self, name)} must not be negative.")
        if self.gloss_weight == 0 and self.category_weight == 0:
            found.append("loss.gloss_weight=0 and loss.category_weight=0 leave nothing to learn. Raise one of them.")
        return found


@dataclass
class EarlyStoppingConfig:
    """Stop when ``metric`` has not improved by ``min_delta`` for ``patience`` epochs."""

    enabled: bool = MISSING
    metric: str = MISSING
    mode: Mode = MISSING
    patience: int = MISSING  # epochs
    min_delta: float = MISSING


@dataclass
class TrainerConfig:
    """Budget, batches, precision, and which checkpoint is kept."""

    max_epochs: int = MISSING
    batch_size: int = MISSING  # clips
    bucketing: bool = MISSING  # clips of similar length share a batch
    accelerator: str = MISSING
    precision: str = MISSING
    gradient_clip: float | None = MISSING  # norm; null = none
    num_workers: int = MISSING  # loader processes; 0 = none
    num_threads: int | None = MISSING  # torch threads a process; null = torch's choice
    select: Select = MISSING
    monitor: str = MISSING  # the metric that decides which checkpoint is best
    monitor_mode: Mode = MISSING
    early_stopping: EarlyStoppingConfig = field(default_factory=EarlyStoppingConfig)

    def problems(self) -> list[str]:
        found = []
        for name in ("max_epochs", "batch_size"):
            if getattr(self, name) < 1:
                found.append(f"trainer.{name}={getattr(self, name)} must be at least 1.")
        if self.num_workers < 0:
            found.append(f"trainer.num_workers={self.num_workers} must be 0 (load in this process) or more.")
        if self.num_threads is not None and self.num_threads < 1:
            found.append(f"trainer.num_threads={self.num_threads} must be at least 1, or null for torch's choice.")
        if self.gradient_clip is not None and self.gradient_clip <= 0:
            found.append(f"trainer.gradient_clip={self.gradient_clip} must be above 0, or null for none.")
        if self.early_stopping.patience < 1:
            found.append(f"trainer.early_stopping.patience={self.early_stopping.patience} must be at least 1 epoch.")
        metrics = ("val_loss", "val_gloss_acc", "val_category_acc")
        for key, metric in (("monitor", self.monitor), ("early_stopping.metric", self.early_stopping.metric)):
            if metric not in metrics:
                found.append(f"trainer.{key}={metric} is not measured. Use one of {', '.join(metrics)}.")
        return found


@dataclass
class LauncherConfig:
    """Resources of one job, and where jobs run."""

    cluster: Cluster = MISSING
    gpus_per_node: int = MISSING
    cpus_per_task: int = MISSING
    mem_gb: int = MISSING
    timeout_min: int = MISSING
    partition: str | None = MISSING
    mode: Any = MISSING
    local: Any = MISSING
    local_parallel: Any = MISSING
    slurm: Any = MISSING


@dataclass
class Config:
    """A whole experiment, as composed from conf/config.yaml."""

    name: str = MISSING
    seed: int = MISSING
    paths: PathsConfig = field(default_factory=PathsConfig)
    run: Any = MISSING  # the stage's own class from config/runs
    data: DataConfig = field(default_factory=DataConfig)
    modality: ModalityConfig = field(default_factory=ModalityConfig)
    augment: Any = MISSING
    extractor: Any = MISSING
    model: Any = MISSING
    optim: Any = MISSING
    scheduler: Any = MISSING
    loss: LossConfig = field(default_factory=LossConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    logger: Any = MISSING
    launcher: LauncherConfig = field(default_factory=LauncherConfig)

    def problems(self) -> list[str]:
        """Contradictions between sections."""
        found = []
        if self.trainer.monitor == "val_category_acc" and self.loss.category_weight == 0:
            found.append(
                "trainer.monitor=val_category_acc needs a category head, but loss.category_weight=0. "
                "Raise loss.category_weight, or monitor val_gloss_acc."
            )
        if self.modality.normalization is Normalization.image and self.augment:
            found.append(
                "modality.normalization=image keeps the image's corner as origin, but augmentations turn clips about "
                "the body's. Use augment=none, or modality.normalization=neck."
            )
        if not self.name or self.name.startswith(("/", ".")):
            found.append(f"name={self.name!r} names a folder below paths.output_root. Use a plain name.")
        return found


def register_schemas() -> None:
    """Make the dataclasses known to Hydra as the bases of the YAML files."""
    from hydra.core.config_store import ConfigStore

    from sign_recog.config import identity, runs

    identity.register_resolver()
    store = ConfigStore.instance()
    store.store(name="config_schema", node=Config)
    for group, node in {
        "data": DataConfig,
        "modality": ModalityConfig,
        "loss": LossConfig,
        "trainer": TrainerConfig,
        "launcher": LauncherConfig,
    }.items():
        store.store(group=group, name=f"{group}_schema", node=node)
    for name, stage in runs.schemas().items():
        store.store(group="run", name=f"{name}_schema", node=stage)

"""Train a detector of landmarks on labelled frames: learn from train, select on val, never look at test."""

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn
from torch.utils.data import DataLoader

from sign_recog.config import Config
from sign_recog.data.labelled_frames import LabelledFrameDataset, build_frame_loader
from sign_recog.data.video_windows import open_windows
from sign_recog.errors import ConfigError, DataError
from sign_recog.landmarks.pca import LinearPoses, fit_multiview, fit_singleview
from sign_recog.stages import StageResult
from sign_recog.stages.build import build
from sign_recog.stages.detector import load_detector
from sign_recog.stages.evaluate_pose import predict_frames
from sign_recog.stages.predict_pose import predict_videos, video_paths
from sign_recog.stages.run_folder import plain, prepared, run_dir
from sign_recog.stages.training import (
    Memory,
    fit_module,
    look_back,
    record_trained,
    refuse_changed_clips,
    train_to_end,
)
from sign_recog.storage import checkpoint
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.labelled_frames import LabelledFrames, open_frames
from sign_recog.storage.manifest import Clip
from sign_recog.training.budget import Budget
from sign_recog.training.callbacks import POSE_COLUMNS
from sign_recog.training.freeze import freeze_parts
from sign_recog.training.pose import PoseModule
from sign_recog.training.processes import rank_zero_first, use_threads
from sign_recog.training.reproducibility import clips_hash, seed_everything
from sign_recog.training.transfer import load_weights, print_outcomes

logger = logging.getLogger(__name__)
_FRAMES = 32  # of a video, a forward pass


@dataclass(frozen=True)
class Material:
    """What a training reads; every process gets the same.

    Attributes:
        frames: Of train and val, nothing else.
        poses: ``singleview`` and ``multiview``: planes near which the train labels lie; only what could be fitted.
        clips: Of unlabelled videos, for the losses that need them; empty where none is on.
    """

    frames: LabelledFrames
    poses: dict[str, LinearPoses]
    corpus: PreparedCorpus
    clips: list[Clip]

    @property
    def train_ids(self) -> list[str]:
        return [frame.frame_id for frame in self.frames.of_split("train").frames]


def run(config: Config) -> StageResult:
    """Train, or go on where a killed training stopped, or say that it has finished; then predict.

    Writes predictions.csv and its errors for train and val (run=evaluate adds test), and with
    ``run.predict_videos`` those of the videos into video_preds/.

    Raises:
        DataError: If frames are missing, or an unsupervised loss that is on cannot be fitted.
        ConfigError: If the run folder holds a training with other settings, or settings do not suit the network.
        CheckpointError: If the checkpoint to go on from is damaged, or of something else.
    """
    folder = run_dir(config)
    begun = look_back(config, checkpoint.POSE)
    corpus = prepared(config)
    material = read_material(config, corpus)
    if begun.own is not None:
        refuse_changed_clips(material.train_ids, begun.own["train_clips"], folder, what="frames")
    work = partial(_train_share, config, material, begun.path)
    train_to_end(config, begun, Budget.of(config.trainer, len(material.train_ids)), work)
    chosen = checkpoint.read_pose(folder / "checkpoints" / f"{config.trainer.select.value}.ckpt")
    objective, told = record_trained(config, chosen)
    summary: dict[str, Any] = {
        **{f"{split} frames": len(material.frames.of_split(split).frames) for split in ("train", "val")},
        "landmarks": len(material.frames.landmarks),
    }
    return StageResult(objective=objective, summary=summary | told | _predict(config, corpus, material, chosen))


def read_material(config: Config, corpus: PreparedCorpus) -> Material:
    """Open what the training reads.

    Raises:
        DataError: If a split is empty, or a loss that is on cannot be fitted to the labels.
        ConfigError: If an unsupervised loss is on, and there is no unlabelled video.
    """
    frames = open_frames(corpus.folder).of_split("train", "val")
    if config.trainer.train_on_val:
        raise ConfigError(
            "trainer.train_on_val=true is not there for detectors of landmarks. Use data.split.val_share, as small "
            "as you like, and trainer.select=last."
        )
    for split in ("train", "val"):
        if not frames.of_split(split).frames:
            raise DataError(
                f"{corpus.folder / 'frames.tsv'}: no frame is in {split}. Give another data.split, or label more."
            )
    losses = config.pose.losses
    clips: list[Clip] = []
    if losses.enabled:
        clips = corpus.of_split("train")
        if not clips:
            raise ConfigError(
                f"pose.losses.{losses.enabled[0]}.enabled=true learns from unlabelled videos, and {config.data.name} "
                "has none in train. Give data.video_dir, or set it to false."
            )
    return Material(frames, _fitted(config, frames.of_split("train")), corpus, clips)


def assemble(config: Config, material: Material) -> PoseModule:
    """Build what is trained.

    Raises:
        ConfigError: If settings do not suit the network.
    """
    landmarks, modality, train = material.frames.landmarks, config.modality, material.frames.of_split("train")
    size = {"height": modality.image_height, "width": modality.image_width}
    network = build(config.model, num_landmarks=len(landmarks), **size)
    if network.context != modality.context:
        raise ConfigError(
            f"modality.context={modality.context}, and this network reads {network.context} neighbours on either "
            f"side of a frame. Use modality.context={network.context}."
        )
    logger.info("backbone: %s", f"weights from {network.pretrained}" if network.pretrained else "random weights")
    freeze_parts(network, config.transfer.freeze_parts, "transfer.freeze_parts")
    record = {
        "task": checkpoint.POSE,
        "config": plain(config),
        "landmarks": landmarks.to_json(),
        **size,
        "context": network.context,
        "picture_sizes": [list(size) for size in sorted({(f.width, f.height) for f in train.frames})],
        "pca": {name: poses.to_json() for name, poses in material.poses.items()},
        "extraction": None,
        "train_clips": material.train_ids,
        "train_clips_hash": clips_hash(material.train_ids),
    }
    return PoseModule(
        network,
        config.pose,
        landmarks,
        material.poses,
        build(config.optim),
        build(config.scheduler),
        record,
        seed=config.seed,
        labels_per_frame=float(np.isfinite(train.points).all(axis=2).sum() / len(train.frames)),
        transferred=config.transfer.checkpoint is not None,
    )


def _train_share(config: Config, material: Material, resume: Path | None) -> Memory:
    """What each process of a training does."""
    use_threads(config.trainer.num_threads)
    seed_everything(config.seed)
    with rank_zero_first():
        module = assemble(config, material)
        loaders = _loaders(config, material)
    if config.transfer.checkpoint is not None and resume is None:
        _transfer(config, module.network, material)
    budget = Budget.of(config.trainer, len(material.train_ids))
    callbacks = [module.ramp] if module.ramp is not None else []
    return fit_module(
        config, module, module.network, loaders, budget, columns=POSE_COLUMNS, resume=resume, callbacks=callbacks
    )


def _loaders(config: Config, material: Material) -> dict[str, DataLoader]:
    modality, trainer, pose = config.modality, config.trainer, config.pose
    height, width = modality.image_height, modality.image_width
    windows = None
    window = pose.window + 2 * modality.context
    if material.clips:
        windows = open_windows(
            material.corpus.root / "cache",
            [material.corpus.video_path(clip) for clip in material.clips],
            height=height,
            width=width,
            window=window,
            most_frames=pose.most_frames,
            spans=[(clip.start_s, clip.end_s) for clip in material.clips],
        )
    loaders = {}
    for split in ("train", "val"):
        train = split == "train"
        dataset = LabelledFrameDataset(
            material.frames.of_split(split),
            height=height,
            width=width,
            context=modality.context,
            augmentations=[build(node) for node in config.augment.values()] if train else [],
            seed=config.seed,
        )
        steps: dict[str, Any] = {"accumulate": trainer.accumulate, "steps_per_round": trainer.eval_every_steps}
        loaders[split] = build_frame_loader(
            dataset,
            batch_size=trainer.batch_size,
            shuffle=train,
            seed=config.seed,
            num_workers=trainer.num_workers,
            windows=windows if train else None,
            window=window,
            **(steps if train else {}),
        )
    return loaders


def _fitted(config: Config, train: LabelledFrames) -> dict[str, LinearPoses]:
    """Planes near the train labels; one whose loss is off is left out, with a word, where it cannot be fitted."""
    losses = config.pose.losses
    single, multi = losses.pca_singleview, losses.pca_multiview
    centring: Any = None if single.centring is None else single.centring.value
    fits: dict[str, Any] = {
        "singleview": partial(
            fit_singleview,
            names=single.landmarks,
            components=single.components,
            explained=single.explained,
            centring=centring,
        ),
    }
    if train.landmarks.views or multi.enabled:
        fits["multiview"] = partial(fit_multiview, components=multi.components or 3)
    found = {}
    for name, fit in fits.items():
        try:
            found[name] = fit(train.points, train.landmarks)
        except DataError as error:
            if f"pca_{name}" in losses.enabled:
                raise
            logger.warning("predictions_pca_%s_error.csv will be missing: %s", name, error)
    return found


def _transfer(config: Config, network: nn.Module, material: Material) -> None:
    """Begin with another detector's weights; rows of the head belong to landmarks, so other landmarks start afresh."""
    source = checkpoint.read_pose(Path(config.transfer.checkpoint or ""))
    fresh: dict[str, str] = {}
    if source.landmarks["names"] != list(material.frames.landmarks.names):
        head: Any = network
        fresh = dict.fromkeys(head.landmark_weights, "other landmarks, or in another order")
    outcomes = load_weights(network, source, glosses=[], categories=[], languages=[], extend_head=False, fresh=fresh)
    print_outcomes(outcomes, source.path)


def _predict(
    config: Config, corpus: PreparedCorpus, material: Material, chosen: checkpoint.PoseCheckpoint
) -> dict[str, Any]:
    """Write what the chosen network sees in the labelled frames and the videos; return what the summary says of it."""
    folder = run_dir(config)
    detector = load_detector(chosen, config.trainer)
    predict_frames(detector, material.frames, config).write(folder)
    found: dict[str, Any] = {"predictions": folder / "predictions.csv"}
    if config.run.predict_videos:
        given = config.run.videos
        if given is None:  # those of other splits are not to be seen before they are scored
            videos = sorted({corpus.video_path(clip) for clip in corpus.of_split("train")})
        else:
            videos = video_paths(Path(given), "run.videos")
        if videos:
            done = predict_videos(
                detector, videos, folder / "video_preds", overlay=config.run.save_videos, batch_size=_FRAMES
            )
            found |= {"videos predicted": len(done.predicted), "videos that failed": len(done.failed)}
        else:
            logger.info("There is no video to predict: the corpus has none, and run.videos=null.")
    return found

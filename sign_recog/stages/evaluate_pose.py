"""Score a detector on labelled frames: how far its landmarks are from the labels, in pixels of the pictures.

``predictions*.csv`` hold the frames of all splits that were opened. Metrics of test lie in the run folder itself, those
of other splits, and of frames that were labelled later (new), in folders named so.
"""

import logging
from typing import Any

import numpy as np

from sign_recog.config import Config, identity
from sign_recog.data.labelled_frames import LabelledFrameDataset, build_frame_loader
from sign_recog.errors import CheckpointError, ConfigError, DataError
from sign_recog.evaluation.pose.scored import ScoredFrames, plane_errors, without_outside
from sign_recog.stages import StageResult
from sign_recog.stages.detector import TrainedDetector, load_detector
from sign_recog.stages.run_folder import result_dir
from sign_recog.stages.scored_corpus import corpus_folder, is_own, place
from sign_recog.stages.scoring import ROUNDING
from sign_recog.storage import atomic
from sign_recog.storage.checkpoint import POSE, PoseCheckpoint
from sign_recog.storage.corpus import PreparedCorpus, open_corpus
from sign_recog.storage.labelled_frames import FRAME_SPLITS, LabelledFrames, open_frames
from sign_recog.training.reproducibility import clips_hash, provenance

logger = logging.getLogger(__name__)


def evaluate_pose(config: Config, trained: PoseCheckpoint) -> StageResult:
    """Write predictions*.csv of all opened splits and metrics.json of each; test is opened only where it is asked for.

    Raises:
        CheckpointError: If the corpus has other landmarks than the checkpoint, or the weights do not fit.
        ConfigError: If settings have no effect on a detector.
        DataError: If a split that is asked for has no frame, a frame was trained on, or a picture cannot be read.
    """
    if idle := config.evaluation.without_effect():
        raise ConfigError(
            f"{', '.join(idle)}: {trained.path} is a detector of landmarks, and these are of others. Leave out."
        )
    corpus = open_corpus(corpus_folder(config, trained))
    frames = _opened(config, trained, corpus)
    detector = load_detector(trained, config.trainer)
    folder = result_dir(config, trained.path, None, place(corpus, trained))
    own = is_own(corpus, trained)
    scored = predict_frames(detector, frames, config)
    found: dict[str, dict[str, Any]] = {}
    for split in FRAME_SPLITS:
        one = scored.of_split(split)
        if len(one.points):
            found[split] = _metrics(config, trained, corpus, split, one, frames.of_split("train") if own else None)
    for split, metrics in found.items():
        metrics["splits"] = {name: _headline(other["scores"]) for name, other in found.items()}
        if split == "val" and own:
            metrics |= _compare_with_training(trained, metrics["scores"])
        atomic.write_json((folder if split == "test" and own else folder / split) / "metrics.json", metrics)
    scored.write(folder)
    scores = found[config.run.split]["scores"]
    summary = {
        "checkpoint": f"{trained.path} (epoch {trained.epoch})",
        **{f"{split} frames": metrics["scores"]["num_frames"] for split, metrics in found.items()},
        **{f"pixel error on {split}, mean / median": _mean_median(m["scores"]) for split, m in found.items()},
        "95 % interval of the mean": "not known: one frame" if scores["pixel_error_ci95"] is None
        else "{:.2f} to {:.2f}".format(*scores["pixel_error_ci95"]),
        "within 5 / 10 pixels": "{:.1%} / {:.1%}".format(scores["within_5"], scores["within_10"]),
        **({"pixel error of the mean pose": scores["mean_pose_error"]} if "mean_pose_error" in scores else {}),
        "results": folder,
    }  # fmt: skip
    return StageResult(objective=scores["pixel_error"], summary=summary)


def predict_frames(detector: TrainedDetector, frames: LabelledFrames, config: Config) -> ScoredFrames:
    """What ``detector`` finds in labelled frames, in batches of ``trainer.batch_size``; not written yet.

    A label beyond its picture's edge is no label, in training as here.

    Raises:
        DataError: If a picture cannot be read.
    """
    detected = detector.detector
    dataset = LabelledFrameDataset(
        frames, height=detected.height, width=detected.width, context=detected.context, augmentations=(), seed=0
    )
    loader = build_frame_loader(
        dataset, batch_size=config.trainer.batch_size, shuffle=False, seed=0, num_workers=config.trainer.num_workers
    )
    points, confidence = detector.predict_loader(loader)
    frames = without_outside(frames)
    planes = plane_errors(detector.planes, frames, points, detector.checkpoint.picture_sizes)
    return ScoredFrames(frames, points, confidence, planes)


def _opened(config: Config, trained: PoseCheckpoint, corpus: PreparedCorpus) -> LabelledFrames:
    """The frames of the splits that are opened, checked before the network is loaded."""
    frames = open_frames(corpus.folder)
    names, expected = frames.landmarks.names, tuple(trained.landmarks["names"])
    if names != expected:
        raise CheckpointError(
            f"{trained.path} finds {', '.join(expected)}; the frames of {corpus.folder} are labelled with "
            f"{', '.join(names)}. Score it on frames with its landmarks, in its order, or train again."
        )
    asked = config.evaluation.sets_of(config.run.split)
    there = [split for split in FRAME_SPLITS if any(frame.split == split for frame in frames.frames)]
    if absent := [split for split in asked if split not in there]:
        raise DataError(
            f"{corpus.folder / 'frames.tsv'}: has no frame in {' and '.join(absent)}, to be scored. It has "
            f"{', '.join(there)}: choose among them with run.split and evaluation.sets, or see data.split."
        )
    opened = frames.of_split(*(split for split in there if split != "test" or split in asked))
    if not np.isfinite(opened.of_split(config.run.split).points).any():
        raise DataError(f"{corpus.folder / 'frames.tsv'}: no frame of {config.run.split} has a label to compare with.")
    _refuse_trained_frames(trained, opened, asked)
    return opened


def _refuse_trained_frames(trained: PoseCheckpoint, frames: LabelledFrames, asked: list[str]) -> None:
    learnt, on_val = set(trained.train_clips), bool(trained.config["trainer"].get("train_on_val"))
    for split in ("val", "test", "new"):
        both = [frame.frame_id for frame in frames.of_split(split).frames if frame.frame_id in learnt]
        if split == "val" and on_val:
            if "val" in asked:
                raise DataError(
                    f"{trained.path} was trained on train and val (trainer.train_on_val), so a score on val would say "
                    "nothing. Score it on test (run.split=test)."
                )
            continue
        if both:
            raise DataError(
                f"{len(both)} frames of {split} were trained on ({', '.join(both[:3])}{', ...' * (len(both) > 3)}): "
                f"the corpus's splits have changed since {trained.path} was made. Prepare it with the settings of "
                "then, or train again."
            )


def _metrics(
    config: Config,
    trained: PoseCheckpoint,
    corpus: PreparedCorpus,
    split: str,
    scored: ScoredFrames,
    train: LabelledFrames | None,
) -> dict[str, Any]:
    """The content of metrics.json."""
    frames = scored.frames.frames
    videos = {frame.video for frame in frames} - {""}
    return {
        "task": POSE,
        "split": split,
        "scores": scored.scores(samples=config.run.bootstrap_samples, seed=config.seed, train=train),
        "run": {
            "name": trained.config["name"],
            "seed": trained.config["seed"],
            "settings": identity.settings_id(trained.config),
            "checkpoint": trained.path.name,
            "epoch": trained.epoch,
        },
        "data": {
            "corpus": corpus.info["name"],
            "manifest": str(corpus.folder / "manifest.tsv"),
            "clips": len(frames),
            "clips_not_extracted": [],
            "clips_hash": clips_hash(frame.frame_id for frame in frames),
            "train_clips": len(trained.train_clips),
            "train_clips_hash": trained.train_clips_hash,
            "videos": len(videos),
            "split_strategy": corpus.info["settings"]["split"]["strategy"],
        },
        "landmarks": trained.landmarks,
        "examples": scored.worst(),
        "provenance": provenance(trained.config["seed"]),
    }


def _compare_with_training(trained: PoseCheckpoint, scores: dict[str, Any]) -> dict[str, Any]:
    """What training measured on val when it wrote the checkpoint, and what is now; a warning if they differ."""
    reported, measured = trained.metrics.get("val_pixel_error"), scores["pixel_error"]
    if reported is None or measured is None:
        return {"val_reported": {}, "val_measured": {}, "val_difference": None, "val_agrees": None}
    difference = abs(measured - reported)
    agrees = difference <= ROUNDING[trained.config["trainer"]["precision"]] * max(1.0, reported)
    if not agrees:
        logger.warning(
            "%s: val is scored otherwise than in training (val_pixel_error %.4f then, %.4f now). Have the frames, "
            "their labels or the preprocessing changed?", trained.path, reported, measured,
        )  # fmt: skip
    name = "val_pixel_error"
    return {"val_reported": {name: reported}, "val_measured": {name: measured}, "val_difference": difference,
            "val_agrees": agrees}  # fmt: skip


def _headline(scores: dict[str, Any]) -> dict[str, Any]:
    """Of a split what others say of it beside their own."""
    return {name: value for name, value in scores.items() if not isinstance(value, list) or name.endswith("_ci95")}


def _mean_median(scores: dict[str, Any]) -> str:
    mean, median = scores["pixel_error"], scores["pixel_error_median"]
    return "no label" if mean is None else f"{mean:.2f} / {median:.2f}"

"""Video, folder of videos or keypoint file -> top-k JSON and overlay video, preprocessed as in training."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from sign_recog.config import Config
from sign_recog.corpora.annotation import VIDEO_SUFFIXES
from sign_recog.errors import CheckpointError, DataError
from sign_recog.landmarks.draw import draw_label, draw_skeleton
from sign_recog.opencv import require_opencv
from sign_recog.stages import StageResult
from sign_recog.stages.build import build
from sign_recog.stages.recognizer import Recognizer, load_recognizer
from sign_recog.stages.run_folder import checkpoint_path, run_dir
from sign_recog.storage import atomic
from sign_recog.storage.checkpoint import read_checkpoint
from sign_recog.storage.sequences import KeypointSequence, read_keypoints
from sign_recog.video.reader import read_frames
from sign_recog.video.writer import write_video

logger = logging.getLogger(__name__)


def run(config: Config) -> StageResult:
    """Write ``<clip>.json`` for every input, ``<clip>.mp4`` for videos, and ``failed.tsv`` for what could not be read.

    Raises:
        DataError: If there is no input, or none of it could be recognised.
    """
    settings = config.run
    recognizer = load_recognizer(read_checkpoint(checkpoint_path(config, settings.checkpoint)))
    inputs = _inputs(Path(settings.input))
    if settings.overlay:
        require_opencv()
    folder = _output_dir(config, recognizer.checkpoint.path)
    extractor_settings = recognizer.checkpoint.config["extractor"]
    extractor = None
    failed: list[tuple[str, str]] = []
    answers: list[dict[str, Any]] = []
    for path in tqdm(inputs, desc="predicting", unit="clip", disable=len(inputs) == 1):
        try:
            if path.suffix == ".npz":
                sequence = read_keypoints(path)
                _refuse_other_extraction(recognizer, sequence, path)
            else:
                extractor = extractor or build(extractor_settings)
                sequence = extractor.extract(path)
            answer = _answer(recognizer, sequence, path, settings.top_k)
        except DataError as error:
            failed.append((path.name, str(error)))
            logger.warning("%s", error)
            continue
        atomic.write_json(folder / f"{path.stem}.json", answer)
        if settings.overlay and path.suffix != ".npz":
            _write_overlay(folder / f"{path.stem}.mp4", path, sequence, answer, extractor_settings["target_fps"])
        answers.append(answer)
    if failed:
        rows = [f"{name}\t{' '.join(reason.split())}\n" for name, reason in failed]
        atomic.write_text(folder / "failed.tsv", "input\treason\n" + "".join(rows))
    if not answers:
        raise DataError(f"None of {len(inputs)} inputs could be recognised. The first: {failed[0][1]}")
    first = answers[0]["glosses"][0]
    summary = {"inputs": len(inputs), "recognised": len(answers), "failed": len(failed), "results": folder}
    if len(answers) == 1:
        summary |= {"gloss": first["gloss"], "probability": first["probability"]}
    return StageResult(summary=summary)


def _output_dir(config: Config, checkpoint: Path) -> Path:
    """What is given; else in the checkpoint's run folder, or for a checkpoint outside a run in this command's."""
    if config.run.output_dir is not None:
        return Path(config.run.output_dir)
    in_run = checkpoint.parent.name == "checkpoints"
    return (checkpoint.parents[1] if in_run else run_dir(config)) / "predictions"


def _inputs(path: Path) -> list[Path]:
    suffixes = (*VIDEO_SUFFIXES, ".npz")
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in suffixes)
        if not found:
            raise DataError(f"{path}: holds no video and no .npz. Known suffixes: {', '.join(suffixes)}.")
        stems = [p.stem for p in found]
        double = sorted({stem for stem in stems if stems.count(stem) > 1})
        if double:
            raise DataError(f"{path}: {double[0]} stands for two files, whose results would share a name. Rename one.")
        return found
    if not path.exists():
        raise DataError(f"{path}: no such file or folder. Check run.input.")
    return [path]


def _refuse_other_extraction(recognizer: Recognizer, sequence: KeypointSequence, path: Path) -> None:
    """A file of another extractor than the network was trained on would be answered, and wrongly."""
    trained = recognizer.checkpoint.extraction
    if trained is None or "extraction" not in sequence.meta:
        return
    if sequence.meta["extraction"] != trained:
        raise CheckpointError(
            f"{path}: was extracted as {sequence.meta['extraction']}, but {recognizer.checkpoint.path} was trained on "
            f"{trained}. Give the video instead, or extract with the settings of the training."
        )


def _answer(recognizer: Recognizer, sequence: KeypointSequence, path: Path, top_k: int) -> dict[str, Any]:
    """What the JSON file holds; probabilities fall from first to last."""
    probabilities = recognizer.recognize(sequence, str(path))
    names = {"gloss": recognizer.vocabulary.glosses, "category": recognizer.vocabulary.categories}
    seen = ~np.isnan(sequence.keypoints[..., 0])
    answer: dict[str, Any] = {
        "input": str(path),
        "checkpoint": str(recognizer.checkpoint.path),
        "frames": len(sequence.keypoints),
        "frames_with": {part: float(seen[:, v].any(1).mean()) for part, v in sequence.layout.parts.items()},
    }
    for kind, plural in (("gloss", "glosses"), ("category", "categories")):
        if kind in probabilities:
            best = np.argsort(-probabilities[kind], kind="stable")[:top_k]
            answer[plural] = [{kind: names[kind][i], "probability": float(probabilities[kind][i])} for i in best]
    return answer


def _write_overlay(
    path: Path, video: Path, sequence: KeypointSequence, answer: dict[str, Any], target_fps: float | None
) -> None:
    best = answer["glosses"][0]
    label = f"{best['gloss']}  {100 * best['probability']:.0f} %"

    def frames() -> Iterator[np.ndarray]:
        for frame, keypoints in zip(read_frames(video, target_fps=target_fps), sequence.keypoints, strict=True):
            image = draw_skeleton(frame.image, keypoints, sequence.layout)
            yield draw_label(image, label)

    fps = target_fps or sequence.meta["fps"]
    with atomic.replaced(path) as temporary:
        write_video(temporary, frames(), fps)

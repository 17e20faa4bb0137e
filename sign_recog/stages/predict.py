"""Video, folder of videos, or .npz of keypoints or features -> top-k JSON, overlay videos and embeddings.

Inputs are preprocessed as in training, and recognised in batches.
"""

import logging
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.config import Config
from sign_recog.config.runs.predict import PredictRun
from sign_recog.errors import ConfigError, DataError
from sign_recog.landmarks.draw import draw_label
from sign_recog.opencv import require_opencv
from sign_recog.stages import StageResult
from sign_recog.stages.inputs import Input, in_batches, input_paths, readable, write_failed
from sign_recog.stages.of_task import of_task
from sign_recog.stages.overlay import write_overlay
from sign_recog.stages.recognizer import Recognizer, load_recognizer
from sign_recog.stages.run_folder import checkpoint_path, result_dir
from sign_recog.storage import atomic
from sign_recog.storage.checkpoint import Checkpoint, read_trained
from sign_recog.storage.sequences import KeypointSequence

logger = logging.getLogger(__name__)


def run(config: Config) -> StageResult:
    """Write ``<clip>.json`` for every input, and ``failed.tsv`` for what could not be read.

    As ``run`` asks, also ``<clip>.mp4`` for videos, and ``<clip>.<embedding>.npy`` with ``labels.json``, which names
    the axis of the probabilities.

    Raises:
        CheckpointError: If the checkpoint cannot be used, or its languages need a ``run.language``.
        ConfigError: If settings have no effect.
        DataError: If there is no input, or none of it could be recognised.
    """
    settings = config.run
    trained = read_trained(checkpoint_path(config, settings.checkpoint))
    if not isinstance(trained, Checkpoint):
        return of_task("predict", trained.task)(config, trained)
    if settings.glosses is not None:
        raise ConfigError(f"run.glosses has no effect: {trained.path} is a recogniser. Give run.input.")
    recognizer = load_recognizer(trained, config.trainer)
    recognizer.language_index(settings.language)  # a wrong one is said before the work begins
    recognizer.check_embeddings([kind for kind in settings.embeddings if kind != "probabilities"])
    paths = input_paths(Path(settings.input), recognizer.reader)
    if settings.overlay:
        require_opencv()
    folder = result_dir(config, recognizer.checkpoint.path, settings.output_dir, "predictions")
    if "probabilities" in settings.embeddings:
        atomic.write_json(folder / "labels.json", vars(recognizer.vocabulary))
    failed: list[tuple[str, str]] = []
    best: list[dict[str, Any]] = []
    for batch in in_batches(readable(recognizer, paths, failed), settings.batch_size):
        found = recognizer.recognize(
            [clip.frames for clip in batch],
            language=settings.language,
            embeddings=[kind for kind in settings.embeddings if kind != "probabilities"],
        )
        for clip, values in zip(batch, found, strict=True):
            answer = _answer(recognizer, clip, values, settings)
            for kind in settings.embeddings:
                _write_array(
                    folder / f"{clip.path.stem}.{kind}.npy", values["gloss" if kind == "probabilities" else kind]
                )
            if settings.overlay and clip.is_video:
                draw = partial(draw_label, text=_label(answer))
                write_overlay(folder / f"{clip.path.stem}.mp4", clip, recognizer.checkpoint.config["extractor"], draw)
            atomic.write_json(folder / f"{clip.path.stem}.json", answer)
            best.append(answer["glosses"][0])
    write_failed(folder, failed)
    if not best:
        raise DataError(f"None of {len(paths)} inputs could be recognised. The first: {failed[0][1]}")
    summary = {"inputs": len(paths), "recognised": len(best), "failed": len(failed), "results": folder}
    return StageResult(summary=summary | (best[0] if len(best) == 1 else {}))


def _answer(
    recognizer: Recognizer, clip: Input, probabilities: dict[str, np.ndarray], settings: PredictRun
) -> dict[str, Any]:
    """What the JSON file holds; probabilities fall from first to last."""
    names = {"gloss": recognizer.vocabulary.glosses, "category": recognizer.vocabulary.categories}
    answer: dict[str, Any] = {
        "input": str(clip.path),
        "checkpoint": str(recognizer.checkpoint.path),
        "frames": len(clip.frames),
    }
    if settings.language is not None:
        answer["language"] = settings.language
    if isinstance(clip.sequence, KeypointSequence):
        seen = ~np.isnan(clip.sequence.keypoints[..., 0])
        parts = clip.sequence.layout.parts
        answer["frames_with"] = {part: float(seen[:, v].any(1).mean()) for part, v in parts.items()}
    for kind, plural in (("gloss", "glosses"), ("category", "categories")):
        if kind in probabilities:
            best = np.argsort(-probabilities[kind], kind="stable")[: settings.top_k]
            answer[plural] = [{kind: names[kind][i], "probability": float(probabilities[kind][i])} for i in best]
    return answer


def _write_array(path: Path, values: np.ndarray) -> None:
    with atomic.replaced(path) as temporary, temporary.open("wb") as file:
        np.save(file, values.astype(np.float32), allow_pickle=False)


def _label(answer: dict[str, Any]) -> str:
    best = answer["glosses"][0]
    return f"{best['gloss']}  {100 * best['probability']:.0f} %"

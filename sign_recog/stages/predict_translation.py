"""Video, folder of videos, .npz of keypoints or features, or .txt of glosses -> sentences as JSON, captioned videos."""

from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sign_recog.config import Config
from sign_recog.data.datasets import pad, padding_mask
from sign_recog.errors import ConfigError, DataError
from sign_recog.landmarks.draw import draw_caption
from sign_recog.opencv import require_opencv
from sign_recog.stages import StageResult
from sign_recog.stages.evaluate_translation import stored_translation
from sign_recog.stages.inputs import Input, in_batches, input_paths, readable, write_failed
from sign_recog.stages.overlay import write_overlay
from sign_recog.stages.run_folder import result_dir
from sign_recog.stages.translator import TrainedTranslator, load_translator
from sign_recog.storage import atomic
from sign_recog.storage.checkpoint import TranslationCheckpoint


def predict_translation(config: Config, trained: TranslationCheckpoint) -> StageResult:
    """Write ``<clip>.json`` for every input, ``<clip>.mp4`` for videos, and ``failed.tsv`` for what cannot be read.

    Raises:
        ConfigError: If settings have no effect on a translator.
        CheckpointError: If the checkpoint cannot be used.
        DataError: If there is no input, or none of it could be read.
    """
    settings = config.run
    idle = [name for name in ("language", "embeddings") if getattr(settings, name)]
    if idle:
        raise ConfigError(f"run.{idle[0]} has no effect: {trained.path} is a translator, which has none. Leave it out.")
    translator = load_translator(trained, config.trainer)
    translator.check_generation(config.generation)
    paths = [] if settings.input is None else input_paths(Path(settings.input), translator.reader)
    read = [] if settings.glosses is None else [_given(translator, settings.glosses)]
    if settings.overlay:
        require_opencv()
    folder = result_dir(config, trained.path, settings.output_dir, "predictions")
    most = stored_translation(trained).max_source_length
    failed: list[tuple[str, str]] = []
    best: list[str] = []
    for batch in in_batches(chain(read, readable(translator, paths, failed)), settings.batch_size):
        for clip, sentences in zip(batch, _translate(translator, batch, most, config), strict=True):
            answer = _answer(translator, clip, sentences, most)
            if settings.overlay and clip.is_video:
                draw = partial(draw_caption, text=sentences[0][0])
                write_overlay(folder / f"{clip.path.stem}.mp4", clip, trained.config["extractor"], draw)
            atomic.write_json(folder / f"{clip.path.stem}.json", answer)
            best.append(sentences[0][0])
    write_failed(folder, failed)
    if not best:
        raise DataError(f"None of {len(paths)} inputs could be translated. The first: {failed[0][1]}")
    summary: dict[str, Any] = {
        "inputs": len(read) + len(paths), "translated": len(best), "failed": len(failed), "results": folder,
    }  # fmt: skip
    return StageResult(summary=summary | ({"translation": best[0]} if len(best) == 1 else {}))


def _given(translator: TrainedTranslator, glosses: str) -> Input:
    """What ``run.glosses`` says, as if from a file ``glosses.txt``."""
    reader, path = translator.reader, Path("glosses.txt")
    if translator.checkpoint.source_tokenizer is None:
        raise ConfigError(f"run.glosses has no effect: {translator.checkpoint.path} reads no glosses. Give run.input.")
    sequence = glosses.split()
    return Input(path, sequence, reader.frames(sequence, str(path)))


def _translate(
    translator: TrainedTranslator, batch: list[Input], most: int | None, config: Config
) -> list[list[tuple[str, float]]]:
    padded, lengths = pad([clip.frames[:most] for clip in batch])
    return translator.translate(
        torch.from_numpy(np.ascontiguousarray(padded)),
        padding_mask(lengths),
        config.generation,
        num_return=config.generation.num_return,
    )


def _answer(
    translator: TrainedTranslator, clip: Input, sentences: list[tuple[str, float]], most: int | None
) -> dict[str, Any]:
    """What the JSON file holds; scores, logarithms, fall from first to last."""
    unit = "frames" if translator.checkpoint.source_tokenizer is None else "glosses"
    answer = {
        "input": str(clip.path),
        "checkpoint": str(translator.checkpoint.path),
        unit: len(clip.frames),
        f"{unit}_read": min(len(clip.frames), most or len(clip.frames)),
        "translation": sentences[0][0],
        "translations": [{"text": text, "score": score} for text, score in sentences],
    }
    if unit == "glosses":
        unknown = translator.reader.vocabulary.unk_id  # type: ignore[attr-defined]  # a GlossReader's
        pairs = zip(clip.sequence, clip.frames, strict=True)
        answer["unknown_glosses"] = [gloss for gloss, number in pairs if number == unknown]
    return answer

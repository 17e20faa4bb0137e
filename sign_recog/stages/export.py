"""A checkpoint as files that need nothing of this project: ONNX, preprocessing, labels, a golden sample, a card."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sign_recog.config import Config
from sign_recog.data.datamodule import with_inputs
from sign_recog.data.readers import clip_path
from sign_recog.errors import CheckpointError, DataError, SignRecogError
from sign_recog.evaluation.model_card import ModelCard, build_model_card
from sign_recog.landmarks.layout import get_layout
from sign_recog.landmarks.names import point_names
from sign_recog.stages import StageResult
from sign_recog.stages.inputs import InputReader
from sign_recog.stages.onnx_model import largest_difference, require_onnx, write_onnx
from sign_recog.stages.recognizer import Recognizer, load_recognizer
from sign_recog.stages.run_folder import checkpoint_path, result_dir, stored_extractor
from sign_recog.storage import atomic
from sign_recog.storage.checkpoint import POSE, TRANSLATION, Checkpoint, read_trained
from sign_recog.storage.corpus import PreparedCorpus, manifest_dir, open_corpus

logger = logging.getLogger(__name__)

FORMAT = 1  # of preprocessing.json
RAW = ("keypoints", "confidence", "features", "timestamps_ms")  # what golden.npz holds of an extracted sequence

_OTHERS = {
    TRANSLATION: "a translator, and run=export is for recognisers: it writes one token after another and searches "
    "among sentences, which is a program around the network, and no single ONNX graph.",
    POSE: "a detector of landmarks, and run=export is for recognisers.",
}


def run(config: Config) -> StageResult:
    """Write model.onnx, preprocessing.json, labels.json, golden.npz and MODEL_CARD.md.

    Raises:
        ConfigError: If the packages of the extra ``export`` are missing.
        CheckpointError: If the checkpoint cannot be used, or is of no recogniser.
        SignRecogError: If the network cannot be exported, or the file's logits differ from PyTorch's.
        DataError: If there is no clip for the golden sample.
    """
    settings = config.run
    trained = read_trained(checkpoint_path(config, settings.checkpoint))
    if not isinstance(trained, Checkpoint):
        raise CheckpointError(f"{trained.path}: is {_OTHERS[trained.task]} Use run=predict.")
    require_onnx()
    recognizer = load_recognizer(trained, config.trainer)
    checkpoint, network = recognizer.checkpoint, recognizer.network.cpu()
    corpus = _corpus(config, checkpoint)
    name, frames, raw = _sample(recognizer, corpus, settings.sample)
    golden = _golden_inputs(recognizer, frames)
    folder = result_dir(config, checkpoint.path, settings.output_dir, "export")
    with atomic.replaced(folder / "model.onnx") as temporary:
        write_onnx(temporary, network, golden)
        difference = largest_difference(temporary, network, golden)
        if not difference <= settings.tolerance:
            raise SignRecogError(
                f"The exported network's logits differ from PyTorch's by {difference:.2g}, more than "
                f"run.tolerance={settings.tolerance:g}. Raise it only if you know why; nothing was written."
            )
    with torch.inference_mode():
        logits = network(*golden.values())
    arrays = {name: values.numpy() for name, values in (golden | logits).items()}
    with atomic.replaced(folder / "golden.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays, **raw)
    atomic.write_json(folder / "preprocessing.json", _preprocessing(recognizer, golden["sequence"]))
    atomic.write_json(folder / "labels.json", vars(recognizer.vocabulary))
    card = _card(checkpoint, network, corpus, difference, name)
    atomic.write_text(folder / "MODEL_CARD.md", build_model_card(card))
    size_mb = (folder / "model.onnx").stat().st_size / 1e6
    summary = {"checkpoint": checkpoint.path, "network": type(network).__name__, "model.onnx": f"{size_mb:.2f} MB"}
    summary |= {"difference to PyTorch": f"{difference:.2g}", "golden sample": name, "results": folder}
    return StageResult(summary=summary)


def _corpus(config: Config, checkpoint: Checkpoint) -> PreparedCorpus | None:
    """The corpus of the training, where it is at hand."""
    data = checkpoint.config["data"]
    try:
        return open_corpus(manifest_dir(Path(config.paths.data_root) / data["name"], data))
    except DataError as error:
        logger.warning("The model card says nothing of the data: %s", error)
        return None


def _sample(
    recognizer: Recognizer, corpus: PreparedCorpus | None, given: str | None
) -> tuple[str, np.ndarray, dict[str, np.ndarray]]:
    """What golden.npz is made of: its name, the network input (T, ...), and the arrays that came before it."""
    reader = recognizer.reader
    if given is None and corpus is None:
        raise DataError(
            "The corpus of the training is not below paths.data_root, so there is no clip for the golden sample. Give "
            "run.sample=PATH of a video or .npz, or paths.data_root."
        )
    if given is None and corpus is not None:
        extractor = stored_extractor(recognizer.checkpoint.config)
        clip = with_inputs(corpus, "val", reader, extractor)[0][0]
        folder = reader.folder(corpus, extractor)
        if folder is None:
            return clip.clip_id, reader.open(corpus, [clip], extractor).read(0, None), {}
        name, path = clip.clip_id, clip_path(folder, clip)
    else:
        path = Path(str(given))
        name = path.name
    found = InputReader(recognizer)(path)
    return name, found.frames, {key: getattr(found.sequence, key) for key in RAW if hasattr(found.sequence, key)}


def _golden_inputs(recognizer: Recognizer, frames: np.ndarray) -> dict[str, torch.Tensor]:
    inputs = {
        "sequence": torch.from_numpy(frames)[None],
        "padding_mask": torch.zeros(1, len(frames), dtype=torch.bool),
    }
    if recognizer.vocabulary.languages:
        inputs["language"] = torch.zeros(1, dtype=torch.long)
    return inputs


def _preprocessing(recognizer: Recognizer, sequence: torch.Tensor) -> dict[str, Any]:
    """What preprocessing.json holds: how the network input is made of a video."""
    checkpoint = recognizer.checkpoint
    modality = checkpoint.config["modality"]
    content: dict[str, Any] = {
        "format": FORMAT,
        "modality": modality,
        "extractor": checkpoint.config["extractor"] if modality["extraction"] else None,
        "extraction": checkpoint.extraction,
        "inputs": {
            "sequence": {
                "axes": ["batch", "frames", *sequence.shape[2:]],
                "dtype": str(sequence.dtype).removeprefix("torch."),
            },
            "padding_mask": {"axes": ["batch", "frames"], "dtype": "bool", "true": "padding, at a clip's end"},
        },
    }
    if recognizer.vocabulary.languages:
        content["inputs"]["language"] = {"axes": ["batch"], "dtype": "int64", "values": "index in labels.json"}
    if "layout" in modality:
        layout = get_layout(modality["layout"])
        points, axes = point_names(layout), "xyz"[: modality["coordinates"]]
        content["layout"] = {
            "name": layout.name,
            "points": points,
            "parts": {part: [points.start, points.stop] for part, points in layout.parts.items()},
        }
        presence = [f"{part}.presence" for part in layout.parts] if modality["presence"] else []
        content["inputs"]["sequence"]["columns"] = [f"{p}.{axis}" for p in points for axis in axes] + presence
    return content


def _card(
    checkpoint: Checkpoint, network: torch.nn.Module, corpus: PreparedCorpus | None, difference: float, sample: str
) -> ModelCard:
    """Gather what the card says from the checkpoint and, where it lies in one, its run folder."""
    run_folder = checkpoint.path.parents[1] if checkpoint.path.parent.name == "checkpoints" else None
    return ModelCard(
        config=checkpoint.config,
        network=type(network).__name__,
        num_parameters=sum(p.numel() for p in network.parameters()),
        glosses=checkpoint.glosses,
        categories=checkpoint.categories,
        languages=checkpoint.languages,
        extraction=checkpoint.extraction,
        corpus=corpus.info if corpus else None,
        metrics=_metrics(run_folder, checkpoint),
        provenance=_read_json(run_folder / "provenance.json") if run_folder else None,
        checkpoint=checkpoint.path.name,
        epoch=checkpoint.epoch,
        onnx_difference=difference,
        sample=sample,
    )


def _metrics(run_folder: Path | None, checkpoint: Checkpoint) -> dict[str, Any] | None:
    """The run's scores on test, if they are this checkpoint's."""
    metrics = _read_json(run_folder / "metrics.json") if run_folder else None
    if metrics is None:
        return None
    scored = metrics["run"]
    return metrics if (scored["checkpoint"], scored["epoch"]) == (checkpoint.path.name, checkpoint.epoch) else None


def _read_json(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

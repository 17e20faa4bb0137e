"""A file as the input of a checkpoint's network: a video, stored keypoints or features, or a text of glosses."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from tqdm import tqdm

from sign_recog.config.schema import Crop
from sign_recog.corpora.annotation import VIDEO_SUFFIXES
from sign_recog.data.features import FeatureReader
from sign_recog.data.readers import Reader
from sign_recog.errors import CheckpointError, DataError, SignRecogError
from sign_recog.formats import vectors
from sign_recog.stages.build import build
from sign_recog.stages.clip_encoder import Task, encode, is_cut
from sign_recog.stages.recognizer import Recognizer
from sign_recog.stages.translator import TrainedTranslator
from sign_recog.storage import atomic

logger = logging.getLogger(__name__)
STORED = (".npz", ".txt")  # suffixes of what is no video; of features more


@dataclass(frozen=True)
class Input:
    """One clip to recognise.

    Attributes:
        sequence: What it was extracted to; the path itself where the network reads videos.
        frames: The network input, (T, ...); ids (T,) of glosses.
    """

    path: Path
    sequence: Any
    frames: np.ndarray

    @property
    def is_video(self) -> bool:
        return self.path.suffix.lower() not in (*STORED, *vectors.SUFFIXES)


class InputReader:
    """Reads files as the network's training did; its extractor is built with the first video."""

    def __init__(self, recognizer: Recognizer | TrainedTranslator) -> None:
        self.recognizer = recognizer
        self._extractor: Any = None
        self._warned = False

    def __call__(self, path: Path) -> Input:
        """Read one file.

        Raises:
            DataError: If it cannot be read, or holds something else than the network reads.
            CheckpointError: If it was extracted with other settings than the training's files.
            SignRecogError: If the training's clips were cut to poses, and MediaPipe cannot be loaded.
        """
        reader, checkpoint = self.recognizer.reader, self.recognizer.checkpoint
        if path.suffix.lower() in stored_suffixes(reader):
            own = not isinstance(reader, FeatureReader)  # features may be another program's
            sequence = reader.stored(path) if own else vectors.read(path, clip_id=path.stem)
            self._refuse_other_extraction(sequence, path)
        elif getattr(checkpoint, "source_tokenizer", None) is not None:
            raise DataError(
                f"{path}: is a video, and {checkpoint.path} reads glosses. Give a .txt of them, or run.glosses."
            )
        elif reader.modality.extraction is None:
            sequence = path
        else:
            self._extractor = self._extractor or build(checkpoint.config["extractor"])
            sequence = self._extractor.extract(path)
        frames = self._cut_frames(path) if sequence is path else reader.frames(sequence, str(path))
        if checkpoint.input_dim is not None and frames.shape[1] != checkpoint.input_dim:  # (T, D), or (T, C, H, W)
            raise DataError(
                f"{path}: holds {frames.shape[1]} values a frame, and {checkpoint.path} reads {checkpoint.input_dim}. "
                "Give the video, or what the training's extractor made of it."
            )
        return Input(path, sequence, frames)

    def _cut_frames(self, path: Path) -> np.ndarray:
        """The network input of a video, cut to the signer as the training's small clips were.

        Without data.crop it is read as it is: data.clip_size alone only scales, as reading does anyway.
        """
        reader, data = self.recognizer.reader, self.recognizer.checkpoint.config["data"]
        crop = data.get("crop")
        if crop is None or is_cut(path):
            return reader.frames(path, str(path))
        if crop != Crop.pose.value:
            if not self._warned:
                logger.warning(
                    "%s was trained on clips cut to the signer's box (data.crop=%s), and a video alone has no box: its "
                    "whole picture is read. Give videos that show little but the signer.",
                    self.recognizer.checkpoint.path,
                    crop,
                )
                self._warned = True
            return reader.frames(path, str(path))
        with TemporaryDirectory() as folder:
            small = Path(folder) / "small.mp4"
            made = encode(Task(path, 0.0, None, None, data["clip_size"], True, small))
            if made.box is None:
                raise (SignRecogError if made.fatal else DataError)(made.error or f"{path}: cannot be encoded.")
            if not made.cut:
                logger.warning("%s: no pose is detected (data.crop=pose), so its whole picture is read.", path)
            return reader.frames(small, str(path))

    def _refuse_other_extraction(self, sequence: Any, path: Path) -> None:
        """A file of another extractor than the network was trained on would be answered, and wrongly."""
        trained = self.recognizer.checkpoint.extraction
        if trained is None or "extraction" not in getattr(sequence, "meta", {}):
            return
        if sequence.meta["extraction"] != trained:
            raise CheckpointError(
                f"{path}: was extracted as {sequence.meta['extraction']}, but {self.recognizer.checkpoint.path} was "
                f"trained on {trained}. Give the video instead, or extract with the settings of the training."
            )


def stored_suffixes(reader: Reader) -> tuple[str, ...]:
    """Of the files that are no videos and that ``reader`` may read."""
    return tuple(dict.fromkeys((*STORED, *(vectors.SUFFIXES if isinstance(reader, FeatureReader) else ()))))


def input_paths(path: Path, reader: Reader) -> list[Path]:
    """The files to read: ``path``, or those in it.

    Raises:
        DataError: If there is none, or two would write the same result.
    """
    suffixes = (*VIDEO_SUFFIXES, *stored_suffixes(reader))
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in suffixes)
        if not found:
            raise DataError(f"{path}: holds nothing that can be read. Known suffixes: {', '.join(suffixes)}.")
        stems = [p.stem for p in found]
        double = sorted({stem for stem in stems if stems.count(stem) > 1})
        if double:
            raise DataError(f"{path}: {double[0]} stands for two files, whose results would share a name. Rename one.")
        return found
    if not path.exists():
        raise DataError(f"{path}: no such file or folder. Check run.input.")
    return [path]


def readable(
    recognizer: Recognizer | TrainedTranslator, paths: list[Path], failed: list[tuple[str, str]]
) -> Iterator[Input]:
    """The inputs that can be read; the others are added to ``failed`` with the reason."""
    read = InputReader(recognizer)
    for path in tqdm(paths, desc="predicting", unit="clip", disable=len(paths) == 1):
        try:
            yield read(path)
        except DataError as error:
            failed.append((path.name, str(error)))
            if len(paths) > 1:  # of one alone, the stage's error says the same
                logger.warning("%s", error)


def in_batches(inputs: Iterable[Input], size: int) -> Iterator[list[Input]]:
    """``inputs``, so many at a time."""
    iterator = iter(inputs)
    while batch := list(islice(iterator, size)):
        yield batch


def write_failed(folder: Path, failed: list[tuple[str, str]]) -> None:
    """``failed.tsv`` in ``folder``: inputs that could not be read, with the reason; nothing where there are none."""
    if failed:
        rows = [f"{name}\t{' '.join(reason.split())}\n" for name, reason in failed]
        atomic.write_text(folder / "failed.tsv", "input\treason\n" + "".join(rows))

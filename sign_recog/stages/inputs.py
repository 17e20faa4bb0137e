"""A file as the input of a checkpoint's network: a video, or an .npz of keypoints or features."""

import logging
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sign_recog.config.schema import Crop
from sign_recog.errors import CheckpointError, DataError, SignRecogError
from sign_recog.stages.build import build
from sign_recog.stages.clip_encoder import Task, encode, is_cut
from sign_recog.stages.recognizer import Recognizer

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Input:
    """One clip to recognise.

    Attributes:
        sequence: What it was extracted to; the path itself where the network reads videos.
        frames: The network input, (T, ...).
    """

    path: Path
    sequence: Any
    frames: np.ndarray

    @property
    def is_video(self) -> bool:
        return self.path.suffix.lower() != ".npz"


class InputReader:
    """Reads files as the recogniser's training did; its extractor is built with the first video."""

    def __init__(self, recognizer: Recognizer) -> None:
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
        if path.suffix.lower() == ".npz":
            sequence = reader.stored(path)
            self._refuse_other_extraction(sequence, path)
        elif reader.modality.extraction is None:
            sequence = path
        else:
            self._extractor = self._extractor or build(checkpoint.config["extractor"])
            sequence = self._extractor.extract(path)
        frames = self._cut_frames(path) if sequence is path else reader.frames(sequence, str(path))
        if frames.shape[1] != checkpoint.input_dim:  # (T, D), or (T, C, H, W)
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
        if trained is None or "extraction" not in sequence.meta:
            return
        if sequence.meta["extraction"] != trained:
            raise CheckpointError(
                f"{path}: was extracted as {sequence.meta['extraction']}, but {self.recognizer.checkpoint.path} was "
                f"trained on {trained}. Give the video instead, or extract with the settings of the training."
            )

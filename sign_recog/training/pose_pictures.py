"""Pictures of a training for TensorBoard: where landmarks are labelled, and where the network finds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from sign_recog.landmarks.draw import draw_landmarks
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.types import PoseBatch

SHOWN = 4  # pictures an evaluation
_SCALE = 2  # screen pixels a pixel of the network's input
_FAR = 10_000  # screen pixels, beyond which OpenCV cannot draw


@dataclass(frozen=True)
class Picture:
    """A frame as the network reads it.

    Attributes:
        index: In its data set.
        frame: (3, H, W) uint8.
        labels, found: (V, 2) in its pixels; NaN = not labelled.
    """

    index: int
    frame: np.ndarray
    labels: np.ndarray
    found: np.ndarray

    @classmethod
    def of_batch(cls, batch: PoseBatch, found: Tensor) -> "list[Picture]":
        """The first few of a batch; of frames with neighbours the middle one."""
        frames = batch["frames"][:SHOWN]
        frames = frames[:, frames.shape[1] // 2] if frames.ndim == 5 else frames
        arrays = [one[:SHOWN].detach().cpu().numpy() for one in (frames, batch["points"], found)]
        return [cls(*one) for one in zip(batch["index"][:SHOWN], *arrays, strict=True)]

    def drawn(self, landmarks: NamedLandmarks) -> np.ndarray:
        """(H, W, 3) uint8, twice as large: what is found, and a white line from there to each label."""
        import cv2

        image = cv2.resize(self.frame.transpose(1, 2, 0), None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_LINEAR)
        labels, found = ((points + 0.5) * _SCALE - 0.5 for points in (self.labels, self.found))
        image = draw_landmarks(image, found, landmarks)
        for label, one in zip(labels, found, strict=True):
            if np.isfinite([label, one]).all():
                start, end = np.stack([label, one]).clip(-_FAR, _FAR).round().astype(int).tolist()
                cv2.line(image, start, end, (255, 255, 255), 1)
        return image


def show_pictures(loggers: Sequence[Any], pictures: Sequence[Picture], landmarks: NamedLandmarks, step: int) -> None:
    """Give ``pictures`` to every TensorBoard logger, as ``val/<index>``; others do not keep them."""
    from pytorch_lightning.loggers import TensorBoardLogger

    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            for one in pictures:
                logger.experiment.add_image(f"val/{one.index}", one.drawn(landmarks), step, dataformats="HWC")

"""A video with what was said of it: drawn on its frames, and with the skeleton where the network reads keypoints."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.landmarks.draw import draw_skeleton
from sign_recog.stages.inputs import Input
from sign_recog.storage import atomic
from sign_recog.storage.sequences import KeypointSequence
from sign_recog.video.reader import probe, read_frames
from sign_recog.video.writer import write_video


def write_overlay(path: Path, clip: Input, extractor: dict[str, Any], draw: Callable[[np.ndarray], np.ndarray]) -> None:
    """Write the frames of ``clip`` to ``path`` as ``draw`` returns them.

    Args:
        extractor: What ``clip`` was extracted with, as the checkpoint's configuration has it.
        draw: (H, W, 3) uint8 RGB -> the same with text.
    """
    sequence = clip.sequence
    # A skeleton belongs to a frame of the extraction; without one the video is shown as it is.
    target_fps = extractor["target_fps"] if isinstance(sequence, KeypointSequence) else None

    def frames() -> Iterator[np.ndarray]:
        images = (frame.image for frame in read_frames(clip.path, target_fps=target_fps))
        if isinstance(sequence, KeypointSequence):
            pairs = zip(images, sequence.keypoints, strict=True)
            images = (draw_skeleton(image, keypoints, sequence.layout) for image, keypoints in pairs)
        return (draw(image) for image in images)

    with atomic.replaced(path) as temporary:
        write_video(temporary, frames(), target_fps or probe(clip.path).fps)

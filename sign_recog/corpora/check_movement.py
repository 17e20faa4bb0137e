"""Keypoints of a clip that move as no body does, as problems of ``run=validate``."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sign_recog.landmarks import faults
from sign_recog.storage.sequences import KeypointSequence


@dataclass(frozen=True)
class MovementLimits:
    """What is still taken for a body's movement; None = not looked for.

    Attributes:
        max_swapped_frames: In which left and right hand change places.
        max_jump: Times a clip's usual movement.
        max_frozen_frames: In a row that repeat the one before.
    """

    max_swapped_frames: int | None
    max_jump: float | None
    max_frozen_frames: int | None


def movement_faults(sequence: KeypointSequence, path: Path, limits: MovementLimits) -> list[tuple[str, str]]:
    """Kind of problem and what is wrong: hands that change places, jumps, frames that stand still."""
    keypoints, layout, found = sequence.keypoints, sequence.layout, []
    look = "Look at the clip with its skeleton (run=predict draws it)"
    if limits.max_swapped_frames is not None:
        swapped = faults.swapped_frames(keypoints, layout)
        if len(swapped) > limits.max_swapped_frames:
            detail = f"{path}: left and right hand change places in {_listed(swapped)}."
            found.append(("hands_swapped", f"{detail} {look}; leave it out, or swap them back."))
    fps = _fps(sequence.timestamps_ms)
    if limits.max_jump is not None and fps is not None:
        jumps = faults.jumps(keypoints, layout, fps=fps, factor=limits.max_jump)
        if jumps:
            parts = "; ".join(f"{part.replace('_', ' ')} jumps in {_listed(frames)}" for part, frames in jumps.items())
            found.append(("keypoints_jump", f"{path}: {parts}. {look}: cuts and lost tracking look so."))
    still = faults.longest_still(keypoints)
    if limits.max_frozen_frames is not None and still > limits.max_frozen_frames:
        most = limits.max_frozen_frames
        detail = f"{path}: {still} frames in a row are the same as the one before; at most {most} may be."
        found.append(
            ("keypoints_frozen", f"{detail} A stuck video, or one filled up at its end: cut the clip shorter.")
        )
    return found


def _fps(timestamps_ms: np.ndarray) -> float | None:
    """Frames a second; None where the times do not tell."""
    steps = np.diff(timestamps_ms)
    interval = float(np.median(steps)) if len(steps) else 0.0
    return 1000 / interval if interval > 0 else None


def _listed(frames: np.ndarray) -> str:
    """Frames from 0, the first few.

    >>> _listed(np.array([3])), _listed(np.arange(9))
    ('frame 3', '9 frames (0, 1, 2, ...)')
    """
    if len(frames) == 1:
        return f"frame {frames[0]}"
    return f"{len(frames)} frames ({', '.join(map(str, frames[:3]))}{', ...' * (len(frames) > 3)})"

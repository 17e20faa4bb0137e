"""Random changes of clips' normalised keypoints that leave their signs the same.

Each class is one change, called as ``change(clips, rng)`` with a whole batch after imputation and normalisation; every
clip gets draws of its own. x and y are turned and stretched; a further channel only moves with its point. Changes of
time, noise and masks suit every sequence, so they serve features too, as (B, T, D, 1).

After ``normalize_neck`` and ``normalize_chest`` body and hands are centred on points of their own, so turning
each part about 0 is the same as turning the whole picture.
"""

from sign_recog.landmarks.augment.base import Augmentation, Clips
from sign_recog.landmarks.augment.dropping import HandDropout, PoseDropout, TimeMask
from sign_recog.landmarks.augment.moving import Affine, Jitter, Mirror, PartAffine, Shift, Yaw
from sign_recog.landmarks.augment.timing import Crop, FrameDrop, Resample, TimeWarp

__all__ = [
    "Affine", "Augmentation", "Clips", "Crop", "FrameDrop", "HandDropout", "Jitter", "Mirror", "PartAffine",
    "PoseDropout", "Resample", "Shift", "TimeMask", "TimeWarp", "Yaw",
]  # fmt: skip

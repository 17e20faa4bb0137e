"""Random changes of labelled pictures that keep their landmarks right; the nodes of ``augment`` for labelled frames.

Two kinds, with one draw for a picture and its neighbours in time. Movements say where a pixel goes: all of them and the
scaling to the network's size become one affine map, so that pictures are sampled once and points follow exactly.
Changes of pixels come after, in their order, at the network's size, and move nothing.
"""

from sign_recog.video.labelled.base import FrameAugmentation, Movement, PixelChange
from sign_recog.video.labelled.moving import Flip, Rotate, Scale, Shift
from sign_recog.video.labelled.pixels import Brightness, CoarseDropout, MotionBlur

__all__ = [
    "Brightness", "CoarseDropout", "Flip", "FrameAugmentation", "MotionBlur", "Movement", "PixelChange", "Rotate",
    "Scale", "Shift",
]  # fmt: skip

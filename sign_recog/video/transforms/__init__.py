"""Random changes of training clips' pictures that leave their signs the same; the nodes of ``augment`` for frames.

Each class is one change with one draw a clip, so that a still picture stays still. Two kinds: framings say which part
of the picture is seen, before any frame is read, so that a crop costs less and not more than the whole picture;
changes of pixels come after all framings, in their order, on frames of the network's size, through torchvision's v2.

All randomness is drawn from the generator handed in; torch's global one, which training uses at the same time, is
never touched.
"""

from sign_recog.video.transforms.auto import AutoAugment, RandAugment
from sign_recog.video.transforms.base import FrameChange, PixelChange, Reframing
from sign_recog.video.transforms.cropping import CentreCrop, HorizontalFlip, RandomCrop, RandomResizedCrop, ScaleAndPad
from sign_recog.video.transforms.pixels import GaussianBlur, Grayscale

__all__ = [
    "AutoAugment", "CentreCrop", "FrameChange", "GaussianBlur", "Grayscale", "HorizontalFlip", "PixelChange",
    "RandAugment", "RandomCrop", "RandomResizedCrop", "Reframing", "ScaleAndPad",
]  # fmt: skip

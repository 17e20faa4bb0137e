"""What can be done to a frame before landmarks are looked for; nothing is, unless it is asked for.

Sharpening is SignON SLR's option, a black background FSLR's preprocessing. Pixels keep their places, so
landmarks keep their coordinates.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from sign_recog.errors import ConfigError

Change = Callable[[np.ndarray], np.ndarray]

_PERSON = 0.5  # a pixel with a smaller value in the segmentation's mask is background
_SQUARE_MODEL = 0  # MediaPipe's general model, which looks at 256 x 256 pixels; 1 is for wide pictures


def check_changes(sharpen: float | None, background: str | None) -> None:
    """Raise ConfigError unless the settings are in their range."""
    if sharpen is not None and not sharpen > 0:
        raise ConfigError(f"extractor.sharpen={sharpen} must be above 0 pixels, say 1.0, or null for none.")
    if background not in (None, "black"):
        raise ConfigError(f"extractor.background={background} must be black, or null to leave it as it is.")


def build_changes(sharpen: float | None, background: str | None) -> list[Change]:
    """The changes that are on, in the order they are made."""
    changes: list[Change] = []
    if sharpen is not None:
        changes.append(lambda image: unsharp_mask(image, sharpen))
    if background == "black":  # after sharpening, which would make a bright rim on the cut
        changes.append(BlackBackground())
    return changes


def unsharp_mask(image: np.ndarray, sigma: float) -> np.ndarray:
    """Return ``image`` + (``image`` - blurred), cut to 0..255, where Gaussian blur of ``sigma`` pixels blurs.

    Args:
        image: (H, W, 3) uint8.
    """
    import cv2

    return cv2.addWeighted(image, 2.0, cv2.GaussianBlur(image, (0, 0), sigma), -1.0, 0.0)


class BlackBackground:
    """(H, W, 3) uint8 -> the same with all but people black, by MediaPipe's selfie segmentation.

    Its model comes with MediaPipe's wheel, and sees each frame by itself.
    """

    def __init__(self) -> None:
        from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

        self._segmentation: Any = SelfieSegmentation(model_selection=_SQUARE_MODEL)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        mask = self._segmentation.process(image).segmentation_mask
        return np.where((mask >= _PERSON)[..., None], image, np.uint8(0))

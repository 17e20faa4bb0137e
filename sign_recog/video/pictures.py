"""Single pictures on the disk."""

from pathlib import Path

import numpy as np

from sign_recog.errors import DataError

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def read_picture(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB, upright as its EXIF data say; grey pictures get three equal channels.

    Raises:
        DataError: If it is missing or cannot be decoded.
    """
    import cv2

    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Restore it, or remove its row.") from error
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    if picture is None:
        raise DataError(f"{path}: is no picture that can be decoded. Replace it, or remove its row.")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def png(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3) uint8 RGB as the content of a PNG file."""
    import cv2

    return cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()

"""OpenCV on machines without a screen."""

from importlib import metadata

from sign_recog.errors import SignRecogError

_PACKAGE = "opencv-contrib-python"


def require_opencv() -> None:
    """Load OpenCV, or say what to install.

    Raises:
        SignRecogError: If a system library is missing, as libGL on a bare server.
    """
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        raise SignRecogError(f"OpenCV cannot be loaded: {error}. {remedy()}") from error


def remedy() -> str:
    """What helps where OpenCV misses a library of the system."""
    return (
        "On a machine without a screen, take the build without windows: "
        f"pip install --force-reinstall --no-deps {_PACKAGE}-headless=={metadata.version(_PACKAGE)}"
    )

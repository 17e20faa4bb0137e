"""The 21 joints of a hand in three dimensions, numbered as in MediaPipe's hand model.

The hand drawn is the signer's left one, seen from the front (on the image's right): fingers up, palm to the
camera, thumb towards the body's mid-line. A right hand is its mirror image. Axes: x right, y down, z away
from the camera; unit: one hand length, from the wrist to the tip of the straight middle finger.
"""

import numpy as np

# Proportions of an adult's hand, set by eye: MediaPipe then puts its landmarks within a few pixels of them.
KNUCKLES = np.array([[-0.125, -0.50, 0.0], [-0.035, -0.52, 0.0], [0.050, -0.495, 0.0], [0.130, -0.45, 0.0]])
FINGER_LENGTHS = np.array([0.44, 0.48, 0.45, 0.36])
PHALANX_SHARES = np.array([0.46, 0.29, 0.25])
MIDDLE_KNUCKLE = 9  # number of the joint
FULL_CURL = np.array([1.45, 1.75, 1.0])  # rad at the three joints of a folded finger
RESTING_CURL = np.array([0.30, 0.34, 0.38, 0.42])
RESTING_SPREAD = 0.06

# Joints 1 to 4 of the thumb.
THUMBS = {
    "out": np.array([[-0.10, -0.10, -0.02], [-0.235, -0.225, -0.04], [-0.345, -0.315, -0.05], [-0.445, -0.385, -0.05]]),
    "beside": np.array([[-0.10, -0.10, -0.02], [-0.20, -0.25, -0.05], [-0.245, -0.38, -0.06], [-0.265, -0.50, -0.06]]),
    "across": np.array([[-0.09, -0.11, -0.04], [-0.165, -0.25, -0.13], [-0.07, -0.34, -0.22], [0.03, -0.37, -0.24]]),
}


def joints(curl: np.ndarray, spread: np.ndarray, thumb: np.ndarray) -> np.ndarray:
    """Return (T, 21, 3) joints with the wrist at the origin.

    Args:
        curl: (T, 4), 0 = straight, 1 = folded, of the index to the little finger.
        spread: (T,) angle between neighbouring fingers, in rad.
        thumb: (T, 4, 3) the thumb's joints.
    """
    fan = (np.arange(4) - 1.3) * spread[:, None]  # (T, 4), little finger outward
    along = np.stack([np.sin(fan), -np.cos(fan), np.zeros_like(fan)], axis=-1)
    to_palm = np.array([0.0, 0.0, -1.0])
    bend = np.cumsum(curl[..., None] * FULL_CURL, axis=-1)[..., None]  # (T, 4, 3, 1)
    phalanges = (np.cos(bend) * along[:, :, None] + np.sin(bend) * to_palm) * (
        FINGER_LENGTHS[:, None, None] * PHALANX_SHARES[:, None]
    )
    fingers = KNUCKLES[:, None] + np.concatenate(
        [np.zeros_like(phalanges[:, :, :1]), np.cumsum(phalanges, axis=2)], axis=2
    )
    return np.concatenate([np.zeros_like(thumb[:, :1]), thumb, fingers.reshape(len(thumb), 16, 3)], axis=1)


def rotation(lean: np.ndarray, yaw: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """Return (T, 3, 3) matrices that pitch about x, then yaw about y, then lean about z; angles (T,) in rad.

    Positive lean tips the fingers towards x, positive pitch tips them towards the camera.
    """
    one, zero = np.ones_like(lean), np.zeros_like(lean)

    def matrix(*rows: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    c, s = np.cos(lean), np.sin(lean)
    about_z = matrix((c, -s, zero), (s, c, zero), (zero, zero, one))
    c, s = np.cos(yaw), np.sin(yaw)
    about_y = matrix((c, zero, s), (zero, one, zero), (-s, zero, c))
    c, s = np.cos(pitch), np.sin(pitch)
    about_x = matrix((one, zero, zero), (zero, c, -s), (zero, s, c))
    return about_z @ about_y @ about_x

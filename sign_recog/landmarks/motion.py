"""How far landmarks go from one frame to the next."""

import numpy as np


def temporal_norm(points: np.ndarray) -> np.ndarray:
    """(T, V, 2) -> (T, V): distance of each point from where it was in the frame before, in the unit of ``points``.

    The first frame has none before it, so its row is NaN, as is what is missing in either frame.
    """
    norm = np.full(points.shape[:2], np.nan)
    norm[1:] = np.linalg.norm(np.diff(points[..., :2].astype(np.float64), axis=0), axis=2)
    return norm

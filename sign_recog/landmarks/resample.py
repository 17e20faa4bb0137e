"""From the times frames have to a steady rate, up or down, drawn linearly between frames."""

import numpy as np


def resample(values: np.ndarray, timestamps_ms: np.ndarray, fps: float) -> np.ndarray:
    """Return ``values`` at the times 0, 1/fps, 2/fps ... up to the last frame's.

    Between two frames stands the line from one to the other, so a movement keeps its course at every rate, which
    repeating or leaving out frames does not. The first frame stays; NaN on either side gives NaN.

    Args:
        values: (T, D) float, one row a frame.
        timestamps_ms: (T,) ascending, from 0.
        fps: Frames a second wanted.

    Returns:
        (T', D) of the same dtype.
    """
    seconds = (timestamps_ms - timestamps_ms[0]) / 1000
    count = int(np.floor(seconds[-1] * fps + 1e-6)) + 1  # a hair, so that the last digit of a float drops no frame
    times = np.minimum(np.arange(count) / fps, seconds[-1])
    after = np.searchsorted(seconds, times, side="left")
    before = np.maximum(after - 1, 0)
    span = seconds[after] - seconds[before]
    share = np.divide(times - seconds[before], span, out=np.ones(count), where=span > 0)[:, None].astype(values.dtype)
    exact = share[:, 0] == 1
    drawn = (1 - share) * values[before] + share * values[after]
    drawn[exact] = values[after[exact]]  # also beside a NaN
    return drawn

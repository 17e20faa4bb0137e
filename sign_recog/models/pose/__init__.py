"""Networks that find landmarks in a picture, on image backbones of timm.

What each has:

``forward(frames) -> dict``
    Its raw outputs for labelled pictures (B, 3, H, W) uint8, or (B, T, 3, H, W) with T - 1 neighbours in time.
``run(frames) -> dict``
    The same for consecutive frames of a video, (context + N + context, 3, H, W) uint8: outputs of the N in the middle.
    Every frame goes through the backbone once.
``decode(outputs) -> points, confidence``
    Points (B, V, 2) float32, x and y in pixels of the network's input, (0, 0) in the middle of the first pixel;
    confidence (B, V) in [0, 1].
``backbone``, ``context``, ``height``, ``width``, ``num_landmarks``, ``pretrained``
    The image network; neighbours that are read on each side; the size of its input; V; where the backbone's weights
    come from, "" = random.
``landmark_weights``
    Names of the weights that belong to single landmarks, and mean nothing for others.
"""

from sign_recog.models.pose.context import ContextTracker
from sign_recog.models.pose.heatmap import HeatmapTracker
from sign_recog.models.pose.regression import RegressionTracker

__all__ = ["ContextTracker", "HeatmapTracker", "RegressionTracker"]

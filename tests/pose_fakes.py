"""A detector without training, and pictures whose landmarks it finds; a module of its own, as workers import it.

Three landmarks, red, green and blue: the centre of mass of each channel of a picture, which a scaling moves exactly.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from sign_recog.landmarks.named import NamedLandmarks

LANDMARKS = NamedLandmarks(("red", "green", "blue"), swap_pairs=(("red", "green"),), limbs=(("red", "blue"),))
LARGEST = {"batch": 0}  # pictures in one call


class Centroids(nn.Module):
    """Centres of mass; with a context the mean of those of five frames."""

    def __init__(self, *, num_landmarks, height, width, weights, context):
        super().__init__()
        assert weights is None
        self.context, self.pretrained = context, ""
        self.shift = nn.Parameter(torch.zeros(2))
        assert (num_landmarks, height % 32, width % 32) == (3, 0, 0)

    def forward(self, frames):
        if self.context:
            return {"points": torch.stack([self.centres(frames[:, i]) for i in range(5)]).mean(0)}
        return {"points": self.centres(frames)}

    def run(self, frames):
        LARGEST["batch"] = max(LARGEST["batch"], len(frames))
        if not self.context:
            return self(frames)
        every = self.centres(frames)
        return {"points": torch.stack([every[i : i + len(frames) - 4] for i in range(5)]).mean(0)}

    def centres(self, frames):
        weight = (frames.double() / 255 - 0.05).clamp(min=0)  # (B, 3, H, W); a video rounds black to nearly black
        mass = weight.sum((2, 3)).clamp(min=1e-9)
        x = (weight.sum(2) * torch.arange(frames.shape[3])).sum(2) / mass
        y = (weight.sum(3) * torch.arange(frames.shape[2])).sum(2) / mass
        return torch.stack([x, y], 2) + self.shift

    def decode(self, outputs):
        points = outputs["points"]
        confidence = torch.tensor([1.0, 0.75, 0.25]).expand(len(points), 3)
        return points, confidence


def draw(points, width=96, height=64):
    """(3, 2) pixels -> (H, W, 3) uint8: a blob of each colour."""
    y, x = np.mgrid[:height, :width]
    distance = (x[..., None] - points[:, 0]) ** 2 + (y[..., None] - points[:, 1]) ** 2
    return np.round(255 * np.exp(-distance / (2 * 3.0**2))).astype(np.uint8)


def moving(num_frames, width=96, height=64, seed=0):
    """(T, 3, 2) points that move slowly inside a picture, away from its edges."""
    rng = np.random.default_rng(seed)
    middle = np.array([[0.35, 0.4], [0.6, 0.6], [0.5, 0.35]]) * [width, height]
    angle = np.arange(num_frames)[:, None, None] * 0.2 + rng.random((1, 3, 1)) * 6
    return middle + 6 * np.concatenate([np.cos(angle), np.sin(angle)], 2)


def write_checkpoint(
    path: Path, config: dict, *, height=32, width=64, context=0, landmarks=LANDMARKS, **changes
) -> Path:
    """A checkpoint as training writes it."""
    node = {"_target_": "pose_fakes.Centroids", "weights": "gone.pth", "context": context}
    own = {
        "format": 2,
        "task": "pose",
        "config": {**config, "model": node},
        "extraction": None,
        "train_clips": ["a", "b"],
        "epoch": 3,
        "step": 30,
        "metrics": {},
        "landmarks": landmarks.to_json(),
        "height": height,
        "width": width,
        "context": context,
        "pca": {},
        "train_clips_hash": "0" * 16,
        "picture_sizes": [[96, 64]],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": {"network.shift": torch.zeros(2)}, "sign_recog": own | changes}, path)
    return path

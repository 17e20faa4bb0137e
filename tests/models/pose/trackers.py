"""The trackers at tiny sizes, on the small ResNet that timm has for tests."""

from typing import Any

import torch

from sign_recog.models.pose import ContextTracker, HeatmapTracker, RegressionTracker

KINDS: dict[str, tuple[type, dict[str, Any]]] = {
    "heatmap": (HeatmapTracker, {"skip_channels": 8, "temperature": 2.0}),
    "heatmap_s4": (HeatmapTracker, {"skip_channels": None, "temperature": 2.0}),
    "context": (ContextTracker, {"skip_channels": 8, "temperature": 2.0}),
    "regression": (RegressionTracker, {"dropout": 0.0}),
}


def tracker(kind: str = "heatmap", **changes: Any) -> Any:
    torch.manual_seed(0)
    made, own = KINDS[kind]
    sizes = {"num_landmarks": 3, "height": 32, "width": 64, "backbone": "test_resnet", "weights": None}
    return made(**(sizes | own | changes))


def pictures(network: Any, number: int, seed: int = 0) -> torch.Tensor:
    """As ``network`` reads them: with neighbours where it has a context."""
    neighbours = (2 * network.context + 1,) if network.context else ()
    size = (number, *neighbours, 3, network.height, network.width)
    return torch.randint(0, 256, size, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))

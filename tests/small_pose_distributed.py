"""What the processes of a tracker's training do."""

from pathlib import Path

import torch
from small_pose import SmallPose, pose_settings, small_tracker


def train(folder: Path) -> None:
    """Three epochs of one step each, all 10 frames in it; the backbone learns from the second on."""
    network = fixed_norms(small_tracker())
    network.pretrained = "weights.pt"
    pose = pose_settings(heatmap_loss="kl", unfreeze_epoch=2, unfreeze_start=0.5)
    SmallPose(folder, pose, network=network, batch_size=10, max_epochs=3, sgd=True, lr=0.05).fit()


def fixed_norms(network: torch.nn.Module) -> torch.nn.Module:
    """Batch norms see single batches, or a process's share, which differ; here they are fixed."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
            module.train = lambda mode=True, own=module: own
    return network

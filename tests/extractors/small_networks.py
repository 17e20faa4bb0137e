"""Every extractor over windows in conf/extractor, at the smallest size that still is that network."""

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from sign_recog import cli
from sign_recog.stages.build import build

FRAMES, PIXELS = 16, 32
NAMES = sorted(
    path.stem
    for path in (cli.CONF_DIR / "extractor").glob("*.yaml")
    if not path.stem.startswith(("inception", "mediapipe", "pose_detector"))
)
SIZES = (
    f"num_frames={FRAMES}", "sampling_rate=1", f"stride={FRAMES // 2}",
    f"image_size={PIXELS}", "resize=null", "batch_size=2", "device=cpu",
)  # fmt: skip
_HIERA = ("backbone.embed_dim=16", "backbone.num_heads=1", "backbone.stages=[1,1,2,1]")
_VIDEOMAE = ("backbone.hidden_size=32", "backbone.num_layers=2", "backbone.num_heads=2")
_SMALL = {
    "i3d": ("backbone.width=0.25",),
    "mvit_v2_s": ("backbone.depths=[1,1,2,1]",),
    "hiera": _HIERA,
    "sign_hiera": _HIERA,
    "videomae": _VIDEOMAE,
}
FEATURES = {
    "s3d": 1024, "r2plus1d_18": 512, "i3d": 256, "i3d_bsl1k": 256, "swin3d_t": 768, "mvit_v2_s": 768,
    **{name: 128 for name in NAMES if "hiera" in name}, **{name: 32 for name in NAMES if "videomae" in name},
}  # fmt: skip


def configured(name: str, *overrides: str):
    """The extractor of conf/extractor/<name>.yaml, with ``overrides`` of its settings."""
    with initialize_config_dir(str(cli.CONF_DIR), version_base="1.3"):
        composed = compose(f"extractor/{name}")
    composed.extractor.merge_with_dotlist(list(overrides))
    return build(OmegaConf.to_container(composed.extractor, resolve=True))


def small(name: str, *overrides: str):
    """The same, small."""
    own = [setting for start, settings in _SMALL.items() if name.startswith(start) for setting in settings]
    return configured(name, *SIZES, *own, *overrides)


def pictures(num_windows: int, num_frames: int = FRAMES, seed: int = 0) -> np.ndarray:
    """Windows (B, n, PIXELS, PIXELS, 3) uint8 of noise that moves."""
    base = np.random.default_rng(seed).integers(0, 256, (num_windows, PIXELS, PIXELS, 3))
    frames = [np.roll(base, (t, 2 * t), (1, 2)) + 3 * t for t in range(num_frames)]
    return (np.stack(frames, axis=1) % 256).astype(np.uint8)


def fill(network: torch.nn.Module) -> torch.nn.Module:
    """Weights by a formula, the same on every machine and in every version of torch; activations keep their size."""
    for number, (name, tensor) in enumerate(network.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue
        place = torch.arange(tensor.numel(), dtype=torch.float64) * 12.9898 + number * 78.233
        noise = 2 * (torch.sin(place) * 43758.5453).remainder(1.0) - 1  # as good as uniform in -1..1
        if name.endswith("running_var") or (tensor.ndim == 1 and name.endswith("weight")):
            values = 1 + 0.3 * noise
        elif tensor.ndim == 1 or "pos_embed" in name:
            values = 0.2 * noise
        else:
            fan_in = tensor.numel() // tensor.shape[0]
            values = noise * (3 * (2 if tensor.ndim == 5 else 1) / fan_in) ** 0.5  # He et al. 2015 before a ReLU
        tensor.copy_(values.reshape(tensor.shape))
    return network


def features_of(extractor, frames: np.ndarray, num_padding=None) -> torch.Tensor:
    """(B, K, D) of windows, as the extractor computes them once they are decoded."""
    network = extractor._network(torch.device("cpu"))
    return network(torch.from_numpy(frames), num_padding or [0] * len(frames))


def network_of(extractor):
    """The network that an extractor computes with, with its weights."""
    extractor._network(torch.device("cpu"))
    (network,) = extractor._loaded.values()
    return network

"""Small networks of every kind, and batches for them."""

from functools import lru_cache

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_class
from omegaconf import OmegaConf
from torch import nn

from sign_recog import cli

SMALL = {"d_model": 32, "num_heads": 4, "ffn_dim": 64}


def from_conf(name: str, **settings) -> nn.Module:
    """The network of conf/model/<name>.yaml, with ``settings`` in place of its own."""
    target, sizes = _node(name)
    return get_class(target)(**{"num_languages": 0, **sizes, **settings})


@lru_cache
def _node(name: str) -> tuple[str, dict]:
    with initialize_config_dir(str(cli.CONF_DIR), version_base="1.3"):
        node = OmegaConf.to_container(compose(f"model/{name}").model)
    return node.pop("_target_"), node


KEYPOINT_NETWORKS = {
    "transformer_mean": lambda **kw: from_conf("transformer", pooling="mean", num_layers=2, **SMALL, **kw),
    "transformer_max": lambda **kw: from_conf("transformer", pooling="max", num_layers=2, **SMALL, **kw),
    "transformer_cls": lambda **kw: from_conf("transformer", pooling="cls", num_layers=2, **SMALL, **kw),
    "conv_transformer": lambda **kw: from_conf("conv_transformer", num_stages=2, **SMALL, **kw),
    "gru": lambda **kw: from_conf("gru", **kw),
    "ptn": lambda **kw: from_conf("ptn", num_layers=2, **SMALL, **kw),
    "poseformer": lambda **kw: from_conf("poseformer", num_layers=2, **SMALL, **kw),
    "poseformer_plain": lambda **kw: from_conf("poseformer", pose_embedding="plain", num_layers=1, **SMALL, **kw),
    "poseformer_none": lambda **kw: from_conf("poseformer", pose_embedding="none", num_layers=1, **SMALL, **kw),
}
NETWORKS = {**KEYPOINT_NETWORKS, "vtn": lambda **kw: from_conf("vtn", num_layers=1, **SMALL, **kw)}


def build(name: str, num_categories: int = 3, num_languages: int = 0) -> nn.Module:
    torch.manual_seed(0)
    input_dim = 3 if name == "vtn" else 10
    sizes = {"input_dim": input_dim, "num_glosses": 7, "num_categories": num_categories}
    return NETWORKS[name](**sizes, num_languages=num_languages)


def make_clip(name: str, length: int, seed: int = 0) -> torch.Tensor:
    """Input of one clip for the network ``name``: 10 values a frame, or small frames."""
    generator = torch.Generator().manual_seed(100 * seed + length)
    if name == "vtn":
        return torch.randint(0, 256, (length, 3, 16, 16), dtype=torch.uint8, generator=generator)
    return torch.randn(length, 10, generator=generator)


def collate(clips: list[torch.Tensor], extra: int = 0, fill: float = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Clips padded with ``fill`` to ``extra`` frames more than the longest has, and the padding mask."""
    longest = max(map(len, clips)) + extra
    sequence = torch.full((len(clips), longest, *clips[0].shape[1:]), fill, dtype=clips[0].dtype)
    mask = torch.ones(len(clips), longest, dtype=torch.bool)
    for i, clip in enumerate(clips):
        sequence[i, : len(clip)] = clip
        mask[i, : len(clip)] = False
    return sequence, mask


def count(network: nn.Module) -> int:
    """Number of parameters."""
    return sum(p.numel() for p in network.parameters())


def encoder_layer_size(dim: int, ffn_dim: int) -> int:
    """Parameters of one Transformer layer: four square maps, two of the feed-forward part, two norms."""
    return 4 * dim * dim + 4 * dim + 2 * dim * ffn_dim + ffn_dim + dim + 4 * dim

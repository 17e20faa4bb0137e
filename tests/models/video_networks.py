"""Every network over frames and time in conf/model, at the smallest size that still is that network."""

from conftest import load_config
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from sign_recog import cli
from sign_recog.stages.build import build

NAMES = sorted(p.stem for p in (cli.CONF_DIR / "model").glob("*.yaml") if "video: default" in p.read_text("utf-8"))
FRAMES, PIXELS = 8, 32
SHALLOW = {  # the largest, of which one block a stage is enough: the code is that of their smaller sisters
    "hiera_base": ["model.backbone.stages=[1,1,1,1]"],
    "hiera_base_plus": ["model.backbone.stages=[1,1,1,1]"],
    "hiera_large": ["model.backbone.stages=[1,1,1,1]"],
    "hiera_huge": ["model.backbone.stages=[1,1,1,1]", "model.backbone.embed_dim=128", "model.backbone.num_heads=2"],
    "videomae_base": ["model.backbone.num_layers=2"],
    "videomae_large": ["model.backbone.num_layers=1"],
    "mvit_v2_b": ["model.backbone.depths=[1,2,3,2]"],
}
SIZES = (
    "modality=rgb", f"modality.num_frames={FRAMES}", f"modality.image_size={PIXELS}", "augment=none",
    "trainer.accelerator=cpu",
)  # fmt: skip


def video_config(name: str, *overrides: str):
    """A validated configuration with the network called ``name``, small."""
    return load_config(*SIZES, f"model={name}", *SHALLOW.get(name, []), *overrides)


def video_network(name: str, *overrides: str, **known: int):
    """That network with random weights; ``overrides`` may be of ``model`` and ``modality``."""
    sizes = {"num_frames": FRAMES, "image_size": PIXELS}
    with initialize_config_dir(str(cli.CONF_DIR), version_base="1.3"):
        cfg = OmegaConf.create({"modality": sizes, "model": compose(f"model/{name}").model})
    cfg.merge_with_dotlist([*SHALLOW.get(name, []), *overrides])
    counts = {"input_dim": 3, "num_glosses": 7, "num_categories": 0, "num_languages": 0}
    return build(OmegaConf.to_container(cfg.model, resolve=True), **counts | known)

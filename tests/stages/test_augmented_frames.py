"""As test_augmented_batches.py, for changes of pictures: every change and every setting of conf/augment/rgb*.yaml."""

from typing import Any

import numpy as np
import pytest
from conftest import load_config
from omegaconf import OmegaConf

from sign_recog import cli
from sign_recog.stages.build import build, build_reader
from sign_recog.video.writer import write_video

FILES = {path.stem: OmegaConf.load(path) for path in sorted((cli.CONF_DIR / "augment").glob("rgb*.yaml"))}
for option, changes in FILES.items():
    changes.pop("defaults", None)
    FILES[option] = OmegaConf.to_container(changes)
CHANGES = [(option, name) for option, changes in FILES.items() for name in changes]
SEEDS = range(6)  # a change may be small or none for one draw


def other_values() -> list[tuple[str, str, str, Any]]:
    """Every setting in conf/augment/rgb*.yaml with a value that is not its own."""
    values = [
        (o, name, key, value) for o, name in CHANGES for key, value in FILES[o][name].items() if key != "_target_"
    ]
    return [(o, name, key, 0 if key == "p" else type(value)(0.8 * value)) for o, name, key, value in values]


@pytest.fixture(scope="module")
def frames_of(tmp_path_factory):
    """Change and settings -> the frames of one clip for each seed; None = no change."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (3, 4, 3), np.uint8).repeat(24, 0).repeat(24, 1)
    write_video(path, (np.roll(blocks, 3 * t, axis=1) for t in range(12)), 25)
    settings = ("modality.num_frames=4", "modality.image_size=48", "modality.resize=64")
    reader = build_reader(load_config("modality=rgb", "model=vtn", *settings).modality)

    def frames(node: dict[str, Any] | None) -> list[np.ndarray]:
        changes = [] if node is None else [build(node)]
        return [reader.read(path, 0.0, None, np.random.default_rng(seed), changes) for seed in SEEDS]

    return frames


def certain(option: str, name: str, **other: Any) -> dict[str, Any]:
    node = FILES[option][name]
    return {**node, **({"p": 1} if "p" in node else {}), **other}


@pytest.mark.parametrize(("option", "name"), CHANGES)
def test_every_change_of_pictures_has_an_effect(frames_of, option, name):
    changed = frames_of(certain(option, name))
    assert any(not np.array_equal(a, b) for a, b in zip(changed, frames_of(None), strict=True))
    assert all(frames.shape == (4, 3, 48, 48) and frames.dtype == np.uint8 for frames in changed)


@pytest.mark.parametrize(("option", "name", "key", "value"), other_values())
def test_every_setting_of_a_change_has_its_effect(frames_of, option, name, key, value):
    changed, other = frames_of(certain(option, name)), frames_of(certain(option, name, **{key: value}))
    assert any(not np.array_equal(a, b) for a, b in zip(changed, other, strict=True))

"""Fixtures that several tests share."""

import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A shell's background jobs ignore Ctrl-C, and so would every process that a test starts there.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real data; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("SIGN_RECOG_TEST_DATA", ROOT / "../shared/data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is absent; set SIGN_RECOG_TEST_DATA to its folder")
    return folder.resolve()


GLOSSES = ("up", "round", "across")


def write_tiny_corpus(config, *, clips_per_gloss: int = 8) -> Path:
    """The prepared corpus that ``config.data`` names: drawn movements, 3 glosses, disjoint signers, lengths 8 to 19."""
    import numpy as np

    from sign_recog.landmarks.layout import get_layout
    from sign_recog.stages.run_folder import corpus_dir, corpus_root
    from sign_recog.storage import atomic
    from sign_recog.storage.corpus import corpus_info_path
    from sign_recog.storage.manifest import Clip, write_manifest
    from sign_recog.storage.sequences import KeypointSequence, write_keypoints

    root, folder, layout, clips = corpus_root(config), corpus_dir(config), get_layout("holistic_75"), []
    if corpus_info_path(folder).exists():
        return folder
    for g, gloss in enumerate(GLOSSES):
        for i in range(clips_per_gloss):
            rng = np.random.default_rng([g, i])
            split = "train" if i < clips_per_gloss - 2 else "val" if i == clips_per_gloss - 2 else "test"
            length = int(rng.integers(8, 20))
            t = np.linspace(0, 1, length)
            body = np.random.default_rng(7).random((75, 3)) * 0.2 + 0.3
            keypoints = np.tile(body, (length, 1, 1))
            keypoints[:, 11, :2], keypoints[:, 12, :2] = (0.6, 0.4), (0.4, 0.4)
            move = {
                "up": np.stack([0 * t, -0.3 * t], 1),
                "round": 0.15 * np.stack([np.cos(7 * t), np.sin(7 * t)], 1),
                "across": np.stack([0.3 * t, 0 * t], 1),
            }[gloss]
            keypoints[:, [13, 15, 17, 19, 21], :2] += move[:, None]
            keypoints[:, 33:54, :2] += move[:, None]
            keypoints += rng.normal(0, 0.003, keypoints.shape)
            keypoints[rng.random(length) < 0.2, 54:75] = np.nan
            confidence = (~np.isnan(keypoints[..., 0])).astype(np.float32)
            clip = Clip(f"{gloss}/{i}", split=split, signer=f"{split}{i}", gloss=gloss, category=f"kind{g // 2}")
            meta = {"clip_id": clip.clip_id, "width": 640, "height": 480, "fps": 25}
            sequence = KeypointSequence(keypoints.astype(np.float32), confidence, np.arange(length) * 40, layout, meta)
            write_keypoints(root / "keypoints" / "mediapipe_holistic" / f"{clip.clip_id}.npz", sequence)
            clips.append(clip)
    write_manifest(folder / "manifest.tsv", clips)
    splits = {}
    for split in ("train", "val", "test"):
        own = [c for c in clips if c.split == split]
        splits[split] = {"clips": len(own), "signers": len({c.signer for c in own}), "glosses": len(GLOSSES)}
    info = {
        "name": "tiny",
        "video_dir": None,
        "splits": splits,
        "notes": [],
        "warnings": [],
        "leakage": [],
        "given": [],
    }
    atomic.write_json(corpus_info_path(folder), info | {"settings": {"split": {"strategy": "given"}}})
    return folder


def write_fsl105(folder: Path) -> Path:
    """labels.csv and .npz of 3 glosses in 2 categories, 10 clips each, by 6 signers."""
    import json

    import numpy as np

    folder.mkdir()
    lines = ["file,gloss,cat,occluded,signer"]
    for i in range(30):
        rng, frames = np.random.default_rng(i), 4 + i % 3
        np.savez(
            folder / f"{i}.npz",
            X=rng.random((frames, 156), dtype=np.float32),
            X2048=rng.random((frames, 2048), dtype=np.float32),
            mask=rng.random((frames, 78)) < 0.9,
            timestamps_ms=np.arange(frames, dtype=np.int64) * 33,
            meta=np.array(json.dumps({"video": f"{i}.mp4", "target_fps": 30})),
        )
        lines.append(f"{i},{i % 3},{i % 3 // 2},{i % 2},S{i // 5}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder / "labels.csv"


@pytest.fixture
def composed_once(monkeypatch):
    """The check of commands composes each choice of options once a process; their settings are still set one by one."""
    from sign_recog.config import preflight

    real = preflight.compose

    def compose(name, chosen, **flags):
        key = (name, *chosen, *flags.items())
        if key not in COMPOSED:
            COMPOSED[key] = real(name, chosen, **flags)
        return COMPOSED[key].copy()

    monkeypatch.setattr(preflight, "compose", compose)


COMPOSED: dict = {}
TINY = (
    "data=manifest", "data.name=tiny", "data.source=unused", "augment=none", "model=transformer", "model.d_model=16",
    "model.num_layers=1", "model.num_heads=2", "model.ffn_dim=32", "trainer.batch_size=4",
    "trainer.num_threads=1", "trainer.accelerator=cpu",
)  # fmt: skip


def load_config(*overrides: str):
    """A validated configuration, composed as run.py composes it."""
    from hydra import compose, initialize_config_dir

    from sign_recog import cli, config

    config.register_schemas()
    with initialize_config_dir(str(cli.CONF_DIR), version_base="1.3"):
        return config.validate(compose("config", list(overrides)))


@pytest.fixture
def tiny(tmp_path):
    """A function from overrides to the configuration of a small run on the drawn corpus."""

    def configure(*overrides: str):
        paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
        config = load_config(*TINY, *paths, *overrides)
        write_tiny_corpus(config)
        return config

    return configure

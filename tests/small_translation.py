"""A corpus of features and sentences that can be told from them, and the settings of a training of seconds on it."""

from pathlib import Path

import numpy as np
from conftest import load_config

from sign_recog.stages.run_folder import corpus_dir, corpus_root, extractor_name
from sign_recog.stages.tokenizer import train_tokenizer
from sign_recog.storage import atomic
from sign_recog.storage.corpus import corpus_info_path
from sign_recog.storage.features import FeatureSequence, write_features
from sign_recog.storage.manifest import Clip, write_manifest

WORDS = ("rain", "sun", "wind", "snow", "north", "south")
DIM = 8
COUNTS = {"train": 120, "val": 6, "test": 6}
SMALL = (
    "data=manifest", "data.name=weather", "data.source=unused", "modality=features", "augment=none",
    "trainer=translation", "trainer.num_threads=1", "trainer.accelerator=cpu", "trainer.batch_size=8",
    "trainer.early_stopping.patience=100", "translation.max_tokens=200", "translation.max_target_length=10",
    "generation.num_beams=2", "generation.max_length=10",
)  # fmt: skip
NETWORK = (
    "tokenizer=words", "model=transformer_seq2seq", "model.d_model=16", "model.num_encoder_layers=1",
    "model.num_decoder_layers=1", "model.num_heads=2", "model.ffn_dim=32",
)  # fmt: skip

T5 = (
    "tokenizer=words", "model=t5_small", "model.architecture.d_model=16", "model.architecture.d_kv=8",
    "model.architecture.d_ff=16", "model.architecture.num_layers=1", "model.architecture.num_decoder_layers=1",
    "model.architecture.num_heads=2",
)  # fmt: skip


def configure(folder: Path, *overrides: str, network: tuple[str, ...] = NETWORK):
    """The configuration, and its corpus, made where it is not there yet."""
    paths = (f"paths.data_root={folder / 'data'}", f"paths.output_root={folder / 'outputs'}")
    samples = ("run.bootstrap_samples=100",) if "run=evaluate" in overrides else ()
    config = load_config(*SMALL, *network, *paths, *overrides, *samples)
    write_corpus(config)
    return config


def write_corpus(config) -> Path:
    """Sentences of 2 to 4 of ``WORDS``, a random word being two frames of its own vector."""
    folder = corpus_dir(config)
    if corpus_info_path(folder).exists():
        return folder
    rng, clips = np.random.default_rng(0), []
    vectors = rng.normal(size=(len(WORDS), DIM)).astype(np.float32)
    for split, count in COUNTS.items():
        for number in range(count):
            words = rng.integers(len(WORDS), size=int(rng.integers(2, 5)))
            features = np.repeat(vectors[words], 2, axis=0) + rng.normal(0, 0.05, (2 * len(words), DIM))
            text = " ".join(WORDS[word] for word in words)
            clip = Clip(f"{split}/{number}", split=split, signer=f"{split}{number % 2}", text=text)
            path = corpus_root(config) / "features" / extractor_name(config) / f"{clip.clip_id}.npz"
            times = np.arange(len(features)) * 40
            write_features(path, FeatureSequence(features.astype(np.float32), times, {"clip_id": clip.clip_id}))
            clips.append(clip)
    write_manifest(folder / "manifest.tsv", clips)
    train_tokenizer(config, folder, clips)
    splits = {split: {"clips": count, "signers": 2, "glosses": 0} for split, count in COUNTS.items()}
    info = {"name": "weather", "video_dir": None, "splits": splits, "notes": [], "warnings": [], "leakage": []}
    settings = {"split": {"strategy": "given"}}
    atomic.write_json(corpus_info_path(folder), info | {"given": [], "settings": settings})
    return folder

"""Small folders of features and sentences as SSVP-SLT lays them out, and a small T5 in the layout of transformers."""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent / "text"))

WORDS = ("woman", "farmer", "child", "dog", "doctor", "king")
DIM = 8
COUNTS = {"train": 24, "val": 6, "test": 6}


def write_folder(folder: Path, name: str, splits=COUNTS, *, dim: int = DIM, copies: int = 1) -> Path:
    """Manifests and tensors; a sentence's random words are two tokens each of their own vectors."""
    vectors = np.random.default_rng(0).normal(size=(len(WORDS), dim)).astype(np.float32)
    rng = np.random.default_rng(len(name))
    (folder / "manifests").mkdir(parents=True)
    for split, count in splits.items():
        rows = []
        for number in range(count):
            words = rng.integers(len(WORDS), size=int(rng.integers(3, 5)))
            video = f"{split}{number:02}-{name}.mp4"
            for copy in range(copies):
                features = np.repeat(vectors[words], 2, axis=0) + rng.normal(0, 0.05, (2 * len(words), dim))
                path = folder / "features" / str(copy) / video[:5] / f"{video[:-4]}.pt"
                path.parent.mkdir(parents=True, exist_ok=True)
                torch.save(torch.from_numpy(features.astype(np.float32)), path)
            rows.append(f"{video}\t{2 * len(words)}\tthe {' the '.join(WORDS[word] for word in words)}.\n")
        (folder / f"manifests/{split}_features.tsv").write_text("".join(rows), encoding="utf-8")
    return folder


def write_folders(folder: Path) -> tuple[Path, Path]:
    """How2Sign with three splits, and another corpus whose train manifest is used and whose val must not be."""
    one = write_folder(folder / "how2sign", "h2s")
    return one, write_folder(folder / "youtube-asl", "ytasl", {"train": 16, "val": 3})


def write_t5(folder: Path, **sizes: int) -> Path:
    """A T5 of random weights with its tokenizer."""
    import pretrained_folders

    from sign_recog.torchvision_operators import declare_missing

    declare_missing()
    from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration

    pretrained_folders.write_t5(folder)
    rows = len(AutoTokenizer.from_pretrained(str(folder), local_files_only=True))
    torch.manual_seed(0)
    config = T5Config(
        **{"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2} | sizes,
        vocab_size=rows, decoder_start_token_id=0, feed_forward_proj="gated-gelu", tie_word_embeddings=False,
    )  # fmt: skip
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder

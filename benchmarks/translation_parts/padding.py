"""The share of padding in batches."""

import argparse
from pathlib import Path

from translation_parts.corpora import GLOSSES, HOW2SIGN, PHOENIX, column, configured, told

GOAL = 0.1


def padding(arguments: argparse.Namespace, folder: Path) -> bool:
    """The share of padding in token-budget batches, and in batches of one size in a random order."""
    met = []
    if PHOENIX.is_dir():
        glosses, texts = zip(*column(PHOENIX / "phoenix14t.train.tsv", "gloss", "text"), strict=True)
        counts = [len(one.split()) for one in glosses]
        config = configured(folder, GLOSSES, 0)
        words = [len(text.split()) + 1 for text in texts]  # and the end
        limits = {"max_tokens": config.translation.max_tokens, "batch_size": config.trainer.batch_size}
        met.append(padding_of("phoenix14t_glosses", counts, words, limits))
    if HOW2SIGN.is_dir():
        import numpy as np

        texts = [text for (text,) in column(HOW2SIGN / "how2sign.train.tsv", "text")]
        characters, rng = np.array([len(text) for text in texts]), np.random.default_rng(0)
        windows = np.clip(characters / 14 * 6.25 * rng.lognormal(0, 0.35, len(texts)), 5, 1024).astype(int)
        pieces = lengths_in_pieces(texts, 7000, lowercase=True)
        for most in (4000, 16000):
            limits = {"max_tokens": most, "batch_size": 256}
            met.append(padding_of(f"how2sign_{most}", windows, np.minimum(pieces, 128), limits))
    return all(met)


def padding_of(name: str, sources, targets, limits: dict) -> bool:
    """Over an epoch of each of the four ways to cut batches."""
    import numpy as np

    from sign_recog.data.sentence_batches import CUTTINGS, SentenceBatchSampler

    sources, targets = np.asarray(sources), np.asarray(targets)

    def share(epochs: int, **settings) -> float:
        sampler, places = SentenceBatchSampler(sources, targets, seed=1, shuffle=True, **settings), 0
        for epoch in range(epochs):
            sampler.set_epoch(epoch)
            for pairs in sampler.batches():
                rows = [index for _, index in pairs]
                places += len(rows) * int(sources[rows].max() + targets[rows].max())
        return 1 - epochs * int((sources + targets).sum()) / places

    ours = SentenceBatchSampler(sources, targets, seed=1, shuffle=True, bucketing=True, **limits)
    size = round(len(sources) / ours.batches_per_epoch)
    random = share(1, bucketing=False, max_tokens=None, batch_size=size)
    print(
        f"{name}: {len(sources)} pairs in {len(ours)} batches of {limits['max_tokens']} places; in batches of {size} "
        f"random pairs {random:.3f} is padding"
    )
    return told(f"translation_padding_{name}", share(CUTTINGS, bucketing=True, **limits), GOAL, at_most=True)


def lengths_in_pieces(texts, size: int, *, lowercase: bool) -> list[int]:
    from sign_recog.text.pieces import SentencePieces

    tokenizer = SentencePieces(size, "unigram", lowercase, False).train(list(texts))
    return [len(one) for one in tokenizer.encode(list(texts))]

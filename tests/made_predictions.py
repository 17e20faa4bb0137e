"""Answers of a network, made up, for tests of scores and reports."""

import numpy as np

from sign_recog.evaluation.predictions import Predictions


def make(num_clips=60, num_glosses=12, *, seed=0, occurring=None, strength=1.5, categories=False) -> Predictions:
    rng = np.random.default_rng(seed)
    targets = rng.choice(num_glosses if occurring is None else occurring, num_clips)
    logits = rng.normal(size=(num_clips, num_glosses)).astype(np.float32)
    logits[np.arange(num_clips), targets] += strength
    extra = {}
    if categories:
        extra = {
            "categories": ["food", "family"],
            "category_logits": rng.normal(size=(num_clips, 2)).astype(np.float32),
            "category_targets": rng.integers(-1, 2, num_clips),
        }
    return Predictions(
        clip_ids=[f"clip{i}" for i in range(num_clips)],
        gloss_logits=logits,
        gloss_targets=targets,
        glosses=[f"gloss{g}" for g in range(num_glosses)],
        signers=[f"signer{i % 3}" for i in range(num_clips)],
        **extra,
    )


def with_logits(logits, targets, **changes) -> Predictions:
    logits = np.array(logits, dtype=np.float32)
    values = {
        "clip_ids": [f"clip{i}" for i in range(len(logits))],
        "gloss_logits": logits,
        "gloss_targets": np.array(targets),
        "glosses": [f"gloss{g}" for g in range(logits.shape[1])],
        "signers": [""] * len(logits),
    }
    return Predictions(**{**values, **changes})

"""Corpus scores of resampled sentences, from sacrebleu's counts of every sentence.

BLEU and chrF are no means of sentence scores: a resampled split must be scored anew from the summed counts of its
sentences (Koehn 2004, W04-3250). The counts are taken once, the sums are one matrix product.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

METRICS = ("bleu4", "chrf")


def build_metrics(*, lowercase: bool = False) -> dict[str, Any]:
    """sacrebleu's metrics whose significance is told: name -> metric."""
    from sacrebleu.metrics import BLEU, CHRF

    return {"bleu4": BLEU(lowercase=lowercase, force=True), "chrf": CHRF(lowercase=lowercase)}


def sentence_counts(metric: Any, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """(N, S) float64: what sacrebleu counts in every sentence; it scores their sum over a split."""
    return np.array(metric._extract_corpus_statistics(list(hypotheses), [list(references)]), dtype=np.float64)


def score_counts(metric: Any, counts: np.ndarray) -> float:
    """The score of sentences whose counts are summed in ``counts`` (S,)."""
    return float(metric._compute_score_from_stats(counts.tolist()).score)


def draw(num_sentences: int, samples: int, seed: int) -> np.ndarray:
    """(samples, N) float64: how often each sentence is in each bootstrap sample."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(num_sentences, np.full(num_sentences, 1 / num_sentences), size=samples).astype(np.float64)


def resampled(metric: Any, counts: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """(samples,) scores of the samples."""
    return np.array([score_counts(metric, row) for row in draws @ counts])


def interval(values: np.ndarray) -> list[float]:
    """95 % percentile interval."""
    return [float(end) for end in np.quantile(values, (0.025, 0.975))]

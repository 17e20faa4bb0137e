"""Is the score more than a language model's guess? Baselines that watch no video, beside every score.

A translator can learn the sentences of a corpus and still not look at the signer: it then writes plausible sentences,
or one sentence, and BLEU is not zero. Two baselines bound what such a system gets:

- ``most_frequent``: the most frequent sentence of the training text as the answer to every clip;
- ``shuffled``: the system's own hypotheses, each scored against the reference of another clip, drawn at random. It is
  the estimate for a text-only model with the same distribution of outputs: the very sentences that the system wrote,
  as many times as it wrote them, with all that tells which clip they belong to removed.

The system is above a baseline if a paired bootstrap over sentences says so: p is the share of samples in which it is
not above (Koehn 2004, W04-3250), for BLEU-4 and for chrF, and must be below ``LEVEL`` for both. p is not corrected for
the number of comparisons.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from sign_recog.evaluation.translation import resampling
from sign_recog.evaluation.translation.scores import checked, one_line

LEVEL = 0.05
_ROUNDING = 1e-9  # points; the mean over equal shuffles may lie this close below the system, which is not above it then
_NAMES = {"bleu4": "BLEU-4", "chrf": "chrF"}
_BASELINES = {
    "most_frequent": "always answering the most frequent training sentence",
    "shuffled": "its own sentences shuffled among the clips",
}


def collapse(
    hypotheses: Sequence[str],
    references: Sequence[str],
    training_texts: Sequence[str] | None,
    *,
    num_permutations: int,
    samples: int,
    seed: int,
    lowercase: bool = False,
) -> dict[str, Any]:
    """Compare a system with the baselines, and its outputs' variety with the references'.

    Args:
        training_texts: The sentences that the system learned from; None = not at hand.
        num_permutations: Shuffles whose scores are averaged.
        samples: Of the bootstrap.

    Returns:
        Plain values for JSON:

        - ``outputs``: "hypotheses" and "references" -> :func:`variety`;
        - ``system``: ``bleu4``, ``chrf`` and their ``_ci95``;
        - ``baselines``: name -> ``bleu4`` and ``chrf`` (of ``shuffled`` the mean, with ``_std`` over the permutations),
          ``_difference`` (system less baseline), ``_difference_ci95``, ``_p``, and ``above``: whether both p are below
          ``LEVEL``; of ``most_frequent`` also the ``text`` and its ``count`` in training. None = it was not computed;
        - ``not_computed``: baseline -> the reason;
        - ``margin``: ``bleu4`` and ``chrf`` above the best baseline;
        - ``real``: whether the system is above every baseline; None if none was computed;
        - ``sentence``: what a report says, as a warning unless ``real``;
        - ``num_permutations``, ``num_samples``, ``seed``.

    Raises:
        DataError: If there is no sentence, or a reference is empty.
    """
    hypotheses, references = checked(hypotheses, references)
    metrics = resampling.build_metrics(lowercase=lowercase)
    draws = resampling.draw(len(references), samples, seed)
    own = {name: resampling.sentence_counts(metric, hypotheses, references) for name, metric in metrics.items()}
    system: dict[str, Any] = {}
    for name, metric in metrics.items():
        system[name] = resampling.score_counts(metric, own[name].sum(0))
        system[f"{name}_ci95"] = resampling.interval(resampling.resampled(metric, own[name], draws))
    answers, not_computed = _baseline_answers(hypotheses, training_texts, num_permutations, seed)
    baselines: dict[str, dict[str, Any] | None] = dict.fromkeys(_BASELINES)
    for baseline, systems in answers.items():
        row: dict[str, Any] = {}
        for name, metric in metrics.items():
            counts = [resampling.sentence_counts(metric, answer, references) for answer in systems]
            row |= _against(name, metric, own[name], counts, draws)
        row["above"] = all(row[f"{name}_p"] < LEVEL for name in metrics)
        baselines[baseline] = row
    if (most := baselines["most_frequent"]) is not None and training_texts is not None:
        most["text"], most["count"] = _most_frequent(training_texts)
    computed = {name: row for name, row in baselines.items() if row is not None}
    return {
        "outputs": {"hypotheses": variety(hypotheses), "references": variety(references)},
        "system": system,
        "baselines": baselines,
        "not_computed": not_computed,
        "margin": {
            name: min((row[f"{name}_difference"] for row in computed.values()), default=None) for name in metrics
        },
        "real": all(row["above"] for row in computed.values()) if computed else None,
        "sentence": _sentence(system, computed, not_computed),
        "num_permutations": num_permutations,
        "num_samples": samples,
        "seed": seed,
    }


def variety(texts: Sequence[str]) -> dict[str, Any]:
    """How much a list of sentences repeats itself.

    Returns:
        ``repeated``: share of the sentences that stand more than once; ``num_distinct``: different sentences;
        ``distinct1`` and ``distinct2``: different n-grams over all n-grams (Li et al. 2016, arXiv:1510.03055), of
        lower-case 13a tokens, None if there are none; ``most_common``, ``most_common_share``, ``mean_words``. The
        distinct shares fall with the number of sentences: compare them between lists of one length only.
    """
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    tokenize = Tokenizer13a()
    counts = Counter(map(one_line, texts))
    words = [tokenize(text.lower()).split() for text in texts]
    pairs = [pair for sentence in words for pair in pairwise(sentence)]
    singles = [word for sentence in words for word in sentence]
    (most_common, times), *_ = counts.most_common(1)
    return {
        "repeated": sum(count for count in counts.values() if count > 1) / len(texts),
        "num_distinct": len(counts),
        "distinct1": len(set(singles)) / len(singles) if singles else None,
        "distinct2": len(set(pairs)) / len(pairs) if pairs else None,
        "most_common": most_common,
        "most_common_share": times / len(texts),
        "mean_words": len(singles) / len(texts),
    }


def shuffles(num_sentences: int, count: int, seed: int) -> list[np.ndarray]:
    """``count`` permutations (N,) int64 of 0 .. N - 1 that leave nothing in its place, each one cycle, at random."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        order = rng.permutation(num_sentences)
        target = np.empty(num_sentences, dtype=np.int64)
        target[order] = np.roll(order, 1)
        found.append(target)
    return found


def _baseline_answers(
    hypotheses: list[str], training_texts: Sequence[str] | None, num_permutations: int, seed: int
) -> tuple[dict[str, list[list[str]]], dict[str, str]]:
    """Baseline -> the answers of one system or, if shuffled, of several; and those without, with the reason."""
    answers, missing = {}, {}
    if training_texts is None or not any(map(str.strip, training_texts)):
        missing["most_frequent"] = "the training text was not at hand"
    else:
        answers["most_frequent"] = [[_most_frequent(training_texts)[0]] * len(hypotheses)]
    if len(hypotheses) < 2:
        missing["shuffled"] = "there is only one sentence"
    else:
        orders = shuffles(len(hypotheses), num_permutations, seed)
        answers["shuffled"] = [[hypotheses[i] for i in order] for order in orders]
    return answers, missing


def _most_frequent(texts: Sequence[str]) -> tuple[str, int]:
    """The sentence and how often it stands there; among equals the first."""
    return Counter(line for text in texts if (line := one_line(text))).most_common(1)[0]


def _against(
    name: str, metric: Any, own: np.ndarray, counts: list[np.ndarray], draws: np.ndarray
) -> dict[str, float | list[float]]:
    """The system against a baseline, or the mean score of several, on the same samples of sentences."""
    scores = np.array([resampling.score_counts(metric, one.sum(0)) for one in counts])
    theirs = np.mean([resampling.resampled(metric, one, draws) for one in counts], axis=0)
    differences = resampling.resampled(metric, own, draws) - theirs
    return {
        name: float(scores.mean()),
        **({f"{name}_std": float(scores.std(ddof=1))} if len(scores) > 1 else {}),
        f"{name}_difference": resampling.score_counts(metric, own.sum(0)) - float(scores.mean()),
        f"{name}_difference_ci95": resampling.interval(differences),
        f"{name}_p": (1 + int((differences <= _ROUNDING).sum())) / (1 + len(differences)),
    }


def _sentence(system: dict[str, Any], computed: dict[str, dict[str, Any]], missing: dict[str, str]) -> str:
    own = f"BLEU-4 {system['bleu4']:.2f}, chrF {system['chrf']:.2f}"
    if not computed:
        reasons = "; ".join(f"{_BASELINES[name]}: {reason}" for name, reason in missing.items())
        return f"Whether the score ({own}) is more than a guess is not known. Not computed: {reasons}."
    shown = [f"{_BASELINES[n]} gets {r['bleu4']:.2f} and {r['chrf']:.2f}" for n, r in computed.items()]
    failed = [
        f"{' and '.join(label for name, label in _NAMES.items() if row[f'{name}_p'] >= LEVEL)} against "
        f"{_BASELINES[baseline]}"
        for baseline, row in computed.items()
        if not row["above"]
    ]
    if failed:
        return (
            f"This score shows no translation: the system ({own}) is not significantly above what needs no video, in "
            f"{'; in '.join(failed)} (p >= {LEVEL:g}, paired bootstrap). For comparison: {'; '.join(shown)}."
        )
    return f"The system ({own}) is significantly above what needs no video: {'; '.join(shown)} (p < {LEVEL:g})."

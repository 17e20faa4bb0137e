"""Scores of sentences against references, each with the signature that says how it was computed.

BLEU, chrF, chrF++ and TER are sacrebleu's (Post 2018, W18-6319), from 0 to 100, and equal to its command line on the
files that :mod:`sign_recog.evaluation.translation.tables` writes. ROUGE, METEOR and BLEURT are shares, as their
libraries give them. All are taken over a whole split at once: a mean over batches, or over the parts of several
processes, is another number.

White space counts as one space everywhere, since sacrebleu's files hold a sentence a line.
"""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sign_recog.errors import DataError
from sign_recog.evaluation.translation.learnt import bleurt, meteor
from sign_recog.evaluation.translation.reduced import Blacklist, reduced_bleu

ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")
# Every score of a split, in the order of tables and pages.
NAMES = ("bleu1", "bleu2", "bleu3", "bleu4", "reduced_bleu", "chrf", "chrf++", "ter", *ROUGE, "meteor", "bleurt")


def one_line(text: str) -> str:
    """Return ``text`` with every run of white space as one space, and none at its ends."""
    return " ".join(text.split())


def score(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    lowercase: bool = False,
    clip_ids: Sequence[str] | None = None,
    blacklist: Blacklist | None = None,
    wordnet_dir: Path | None = None,
    bleurt_dir: Path | None = None,
) -> dict[str, Any]:
    """Score a whole split, a reference a hypothesis.

    Args:
        lowercase: Of BLEU, chrF and chrF++; TER, ROUGE and METEOR never tell the case apart.
        clip_ids: Named where a reference is empty.
        blacklist: Of reduced BLEU.
        wordnet_dir: nltk's data folder with WordNet, for METEOR; None = where nltk looks by itself.
        bleurt_dir: A BLEURT checkpoint.

    Returns:
        Plain values for JSON:

        - ``bleu1`` .. ``bleu4`` (cumulative, 13a, exponential smoothing), ``reduced_bleu``, ``chrf``, ``chrf++`` and
          ``ter``, 0 to 100 (TER may be above); ``rouge1``, ``rouge2``, ``rougeL``, ``rougeLsum`` (mean F1 of the
          sentences), ``meteor`` and ``bleurt``, 0 to 1 (BLEURT may leave it). None where it was not computed;
        - ``not_computed``: score -> the reason;
        - ``signatures``: score -> how it was computed;
        - ``brevity_penalty`` and ``length_ratio`` (words of hypotheses over words of references) of BLEU;
        - ``num_sentences``, ``num_empty`` (hypotheses without a word).

    Raises:
        DataError: If there is no sentence, a reference is empty, or a folder that was given holds no such data.
        ValueError: If the lists differ in length.
    """
    hypotheses, references = checked(hypotheses, references, clip_ids)
    found = _sacrebleu(hypotheses, references, lowercase)
    rouge, signature = _rouge(hypotheses, references)
    found |= {**rouge, "not_computed": {}}
    found["signatures"] |= dict.fromkeys(ROUGE, signature)
    if blacklist is None:
        found |= {"reduced_bleu": None}
        found["not_computed"]["reduced_bleu"] = "no blacklist was given"
    else:
        found["reduced_bleu"], about = reduced_bleu(hypotheses, references, blacklist, lowercase=lowercase)
        found["signatures"]["reduced_bleu"] = about["signature"]
        found["num_reduced"] = about["num_sentences"]
        if found["reduced_bleu"] is None:
            found["not_computed"]["reduced_bleu"] = "the blacklist leaves nothing of any reference"
    for name, (value, text) in {
        "meteor": meteor(hypotheses, references, wordnet_dir),
        "bleurt": bleurt(hypotheses, references, bleurt_dir),
    }.items():
        found[name] = value
        found["not_computed" if value is None else "signatures"][name] = text
    found["num_sentences"], found["num_empty"] = len(hypotheses), sum(not text for text in hypotheses)
    return found


def sentence_scores(
    hypotheses: Sequence[str], references: Sequence[str], *, lowercase: bool = False
) -> dict[str, list[float]]:
    """BLEU-4 and chrF of every sentence by itself, 0 to 100, as sacrebleu's ``--sentence-level`` gives them.

    A sentence's BLEU takes only the n-grams that fit into it (sacrebleu's effective order). The mean of these numbers
    is not the score of the split.
    """
    from sacrebleu.metrics import BLEU, CHRF

    pairs = list(zip(*checked(hypotheses, references), strict=True))
    bleu, chrf = BLEU(lowercase=lowercase, effective_order=True, force=True), CHRF(lowercase=lowercase)
    return {
        "bleu4": [bleu.sentence_score(hypothesis, [reference]).score for hypothesis, reference in pairs],
        "chrf": [chrf.sentence_score(hypothesis, [reference]).score for hypothesis, reference in pairs],
    }


def checked(
    hypotheses: Sequence[str], references: Sequence[str], clip_ids: Sequence[str] | None = None
) -> tuple[list[str], list[str]]:
    """Both lists with a line a sentence.

    Raises:
        DataError: If there is no sentence, or a reference is empty.
        ValueError: If the lists differ in length.
    """
    if len(hypotheses) != len(references) or (clip_ids is not None and len(clip_ids) != len(references)):
        raise ValueError(f"{len(hypotheses)} hypotheses and {len(references)} references do not fit together.")
    if not references:
        raise DataError("There is no sentence to score. Choose a run.split that has clips with a text.")
    one, other = [one_line(text) for text in hypotheses], [one_line(text) for text in references]
    names = clip_ids or [f"number {place}" for place in range(1, len(other) + 1)]
    empty = [name for name, text in zip(names, other, strict=True) if not text]
    if empty:
        shown = ", ".join(empty[:5]) + (", ..." if len(empty) > 5 else "")
        raise DataError(
            f"{len(empty)} of {len(other)} clips have an empty reference ({shown}), against which nothing can be "
            "scored. Give them a text in the manifest, or leave them out of the split."
        )
    return one, other


def bleu_and_chrf(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """``bleu1`` to ``bleu4``, ``chrf`` and ``length_ratio`` as :func:`score` gives them, in a fraction of its time.

    Raises:
        DataError: If there is no sentence, or a reference is empty.
    """
    from sacrebleu.metrics import BLEU, CHRF

    one, other = checked(hypotheses, references)
    whole = BLEU(force=True).corpus_score(one, [other])
    chrf = CHRF().corpus_score(one, [other]).score
    return {**_orders(whole), "chrf": chrf, "length_ratio": whole.sys_len / whole.ref_len}


def _orders(whole: Any) -> dict[str, float]:
    """BLEU-1 to BLEU-4 from the counts of sacrebleu's BLEU-4."""
    from sacrebleu.metrics import BLEU

    counts, totals = list(whole.counts), list(whole.totals)
    return {
        f"bleu{order}": BLEU.compute_bleu(
            counts, totals, whole.sys_len, whole.ref_len, "exp", max_ngram_order=order
        ).score
        for order in (1, 2, 3, 4)
    }


def _sacrebleu(hypotheses: list[str], references: list[str], lowercase: bool) -> dict[str, Any]:
    from sacrebleu.metrics import BLEU, CHRF, TER

    bleu = BLEU(lowercase=lowercase, force=True)  # force: no advice on tokenised text, as PHOENIX's references are
    whole = bleu.corpus_score(hypotheses, [references])
    found: dict[str, Any] = _orders(whole)
    signatures = {f"bleu{order}": f"{bleu.get_signature()}|order:{order}" for order in (1, 2, 3)}
    signatures["bleu4"] = str(bleu.get_signature())
    others = {"chrf": CHRF(lowercase=lowercase), "chrf++": CHRF(word_order=2, lowercase=lowercase), "ter": TER()}
    for name, metric in others.items():
        found[name] = metric.corpus_score(hypotheses, [references]).score
        signatures[name] = str(metric.get_signature())
    ratio = whole.sys_len / whole.ref_len
    return {**found, "signatures": signatures, "brevity_penalty": whole.bp, "length_ratio": ratio}


class _Words:
    """rouge-score's tokenizer for every script: lower case, runs of letters, marks and digits.

    Its own takes only a-z and 0-9, so that "nächste" becomes "n" and "chste". Of ASCII text both make the same.
    """

    def tokenize(self, text: str) -> list[str]:
        return "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in text.lower()).split()


def _rouge(hypotheses: list[str], references: list[str]) -> tuple[dict[str, float], str]:
    from importlib.metadata import version

    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(ROUGE), tokenizer=_Words())
    rows = [scorer.score(reference, hypothesis) for hypothesis, reference in zip(hypotheses, references, strict=True)]
    own = "f1|mean of sentences|case:lc|tok:letters and digits of all scripts|stem:no"
    scores = {name: sum(row[name].fmeasure for row in rows) / len(rows) for name in ROUGE}
    return scores, f"{own}|rouge-score:{version('rouge-score')}"

"""Whether two systems that translated the same clips differ by more than chance, by sacrebleu's paired bootstrap."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sign_recog.errors import DataError
from sign_recog.evaluation.translation.resampling import build_metrics, sentence_counts
from sign_recog.evaluation.translation.scores import checked
from sign_recog.evaluation.translation.tables import Outputs, read_outputs

if TYPE_CHECKING:
    from sacrebleu.significance import Result

_SACREBLEU_NAMES = {"bleu4": "BLEU", "chrf": "chrF2"}


def compare_outputs(a: Path, b: Path, *, samples: int, lowercase: bool = False) -> dict[str, Any]:
    """Compare two outputs tables, see :func:`compare`.

    Raises:
        DataError: If a file is missing or damaged, or its clips or their references differ.
    """
    first, second = read_outputs(a), read_outputs(b)
    second = _aligned(a, first, b, second)
    return compare(first.hypotheses, second.hypotheses, first.references, samples=samples, lowercase=lowercase)


def compare(
    first: Sequence[str], second: Sequence[str], references: Sequence[str], *, samples: int, lowercase: bool = False
) -> dict[str, Any]:
    """sacrebleu's paired bootstrap of BLEU-4 and chrF over ``samples`` draws of sentences.

    Its p is for the absolute difference, and its intervals are mean +- half the width, as its command line prints them
    (``sacrebleu REFERENCES -i FIRST SECOND --paired-bs``). Its seed is SACREBLEU_SEED or 12345. Where a difference is 0
    in every draw sacrebleu says p = 1 / (samples + 1), as it takes "no difference" for certain; here p is then 1.

    Returns:
        ``bleu4`` and ``chrf`` -> ``first`` and ``second`` (each ``score``, ``mean``, ``half_width``), ``difference``
        (first less second), ``p_value``, ``signature``; and ``num_sentences``.

    Raises:
        DataError: If there is no sentence, or a reference is empty.
        ValueError: If the lists differ in length.
    """
    from sacrebleu.significance import PairedTest

    first, references = checked(first, references)
    second, _ = checked(second, references)
    metrics = build_metrics(lowercase=lowercase)
    systems: list[tuple[str, Sequence[str]]] = [("first", first), ("second", second)]
    test = PairedTest(systems, metrics, [references], test_type="bs", n_samples=samples, n_jobs=1)
    signatures, results = test()
    found: dict[str, Any] = {"num_sentences": len(references)}
    for name, theirs in _SACREBLEU_NAMES.items():
        one, other = cast("list[Result]", results[theirs])
        counts, others = (sentence_counts(metrics[name], system, references) for _, system in systems)
        found[name] = {
            "first": _with_interval(one),
            "second": _with_interval(other),
            "difference": one.score - other.score,
            "p_value": 1.0 if np.array_equal(counts, others) else float(cast("float", other.p_value)),
            "signature": str(signatures[theirs]),
        }
    return found


def _with_interval(result: "Result") -> dict[str, float]:
    mean, half_width = cast("float", result.mean), cast("float", result.ci)
    return {"score": float(result.score), "mean": float(mean), "half_width": float(half_width)}


def _aligned(a: Path, first: Outputs, b: Path, second: Outputs) -> Outputs:
    """``second`` in the order of ``first``."""
    differ = sorted(set(first.clip_ids) ^ set(second.clip_ids))
    if differ:
        raise DataError(
            f"{a} and {b} cannot be compared: {len(differ)} clips are in only one of the two "
            f"({', '.join(differ[:3])}{', ...' if len(differ) > 3 else ''}). Evaluate both on the same clips."
        )
    place = {clip_id: index for index, clip_id in enumerate(second.clip_ids)}
    order = [place[clip_id] for clip_id in first.clip_ids]
    second = Outputs(*([column[i] for i in order] for column in second.columns()))
    pairs = zip(first.clip_ids, first.references, second.references, strict=True)
    if other := [(clip_id, one, two) for clip_id, one, two in pairs if one != two]:
        clip_id, one, two = other[0]
        raise DataError(
            f"{a} and {b} cannot be compared: {len(other)} clips have another reference in each, as clip {clip_id}: "
            f"{one!r} and {two!r}. Evaluate both on the same manifest."
        )
    return second

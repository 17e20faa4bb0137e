"""Whether two networks that answered the same clips differ by more than chance.

McNemar's test (McNemar 1947, Psychometrika 12) looks only at the clips that exactly one of the two got right: were the
networks equally good, each of those would be either's with probability 1/2.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.errors import DataError
from sign_recog.evaluation.outcomes import Outcomes, gap_interval

FEW_DISCORDANT = 25  # below this the chi-square approximation is not good enough (Edwards 1948; Fleiss 1981)


@dataclass(frozen=True)
class _Answers:
    glosses: dict[str, str]  # clip -> the true gloss
    signers: dict[str, str]
    right: dict[str, bool]


def compare_predictions(a: Path, b: Path) -> dict[str, Any]:
    """Compare the stored answers of two runs on the same clips.

    Args:
        a, b: A predictions.csv, or a folder that holds one: a run folder for test, its ``val/`` for val.

    Returns:
        Plain values for JSON:

        - ``both_right``, ``only_first``, ``only_second``, ``both_wrong``: clips, by whose best answer was right;
        - ``p_value`` and ``method`` of McNemar's test, see :func:`mcnemar`;
        - ``difference``: top-1 per instance of ``a`` less that of ``b``;
        - ``difference_ci95``: its 95 % interval by the paired bootstrap: the same signers, or where they are unknown
          or fewer than 5 the same clips, are drawn for both
          (:func:`sign_recog.evaluation.outcomes.gap_interval`).

    Raises:
        DataError: If a file is missing or damaged, or clip ids or their labels differ.
    """
    first, second = _read(a), _read(b)
    _refuse_other_clips(a, first, b, second)
    clip_ids = sorted(first.right)
    hits = [np.array([answers.right[clip] for clip in clip_ids]) for answers in (first, second)]
    only_first, only_second = int((hits[0] & ~hits[1]).sum()), int((~hits[0] & hits[1]).sum())
    p_value, method = mcnemar(only_first, only_second)
    signers = [first.signers[clip] for clip in clip_ids]
    outcomes = [Outcomes(clip_ids, signers, own.astype(float)) for own in hits]
    return {
        "both_right": int((hits[0] & hits[1]).sum()),
        "only_first": only_first,
        "only_second": only_second,
        "both_wrong": int((~hits[0] & ~hits[1]).sum()),
        "p_value": p_value,
        "method": method,
        "difference": float((hits[0].sum() - hits[1].sum()) / len(clip_ids)),
        "difference_ci95": list(gap_interval(*outcomes)),
    }


def mcnemar(only_first: int, only_second: int) -> tuple[float, str]:
    """Two-sided p-value and the method it was computed by.

    With fewer than ``FEW_DISCORDANT`` clips that one of the two got right: exact, from Binomial(n, 1/2). Else
    (|b - c| - 1)^2 / (b + c) against chi-square with 1 degree of freedom (Edwards' continuity correction).

    >>> mcnemar(5, 0)
    (0.0625, 'exact binomial')
    >>> mcnemar(3, 3)
    (1.0, 'exact binomial')
    """
    from scipy.stats import binomtest, chi2

    discordant = only_first + only_second
    if discordant < FEW_DISCORDANT:
        p_value = float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0
        return p_value, "exact binomial"
    statistic = max(0, abs(only_first - only_second) - 1) ** 2 / discordant
    return float(chi2.sf(statistic, 1)), "chi-square with continuity correction"


def _read(path: Path) -> _Answers:
    path = path / "predictions.csv" if path.is_dir() else path
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        found = _Answers(
            {row["clip_id"]: row["gloss"] for row in rows},
            {row["clip_id"]: row["signer"] for row in rows},
            {row["clip_id"]: bool(int(row["correct"])) for row in rows},
        )
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file, so there are no answers to compare. Run run=evaluate first.") from error
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: cannot be read ({error!r}). Run run=evaluate again.") from error
    if not rows or len(found.right) != len(rows):
        raise DataError(f"{path}: holds {len(rows)} rows of {len(found.right)} clips. Run run=evaluate again.")
    return found


def _refuse_other_clips(a: Path, first: _Answers, b: Path, second: _Answers) -> None:
    differ = sorted(first.right.keys() ^ second.right.keys())
    if differ:
        raise DataError(
            f"{a} and {b} cannot be compared: {len(differ)} clips are in only one of the two "
            f"({', '.join(differ[:3])}{', ...' if len(differ) > 3 else ''}). Evaluate both on the same clips."
        )
    relabelled = sorted(clip for clip, gloss in first.glosses.items() if second.glosses[clip] != gloss)
    if relabelled:
        clip = relabelled[0]
        raise DataError(
            f"{a} and {b} cannot be compared: {len(relabelled)} clips have another label in each, as clip {clip}: "
            f"{first.glosses[clip]!r} and {second.glosses[clip]!r}. Evaluate both on the same manifest."
        )

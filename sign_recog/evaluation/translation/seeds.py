"""The collapse check over several runs of one setting: how many of them are more than a guess."""

from collections.abc import Mapping, Sequence
from typing import Any


def above_chance(checks: Sequence[Mapping[str, Any]]) -> tuple[bool, str] | None:
    """Whether all runs are significantly above what needs no video, and a sentence on it; None without runs.

    Args:
        checks: ``collapse`` of each run's metrics.json, as
            :func:`sign_recog.evaluation.translation.collapse.collapse` made it.

    >>> above_chance([{"real": True, "margin": {"bleu4": 3.0}}, {"real": False, "margin": {"bleu4": -1.0}}])
    (False, '1 of 2 runs is significantly above what needs no video; by 1.00 BLEU-4 in the mean, -1.00 at least.')
    """
    if not checks:
        return None
    real = sum(check["real"] is True for check in checks)
    margins = [check["margin"]["bleu4"] for check in checks if check["margin"]["bleu4"] is not None]
    text = f"{real} of {len(checks)} runs {'is' if real == 1 else 'are'} significantly above what needs no video"
    if margins:
        text += f"; by {sum(margins) / len(margins):.2f} BLEU-4 in the mean, {min(margins):.2f} at least"
    return real == len(checks), f"{text}."

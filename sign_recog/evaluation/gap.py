"""How much of a score is lost with signers that training has not seen.

Two results of the same settings are compared, one with signers that are in train as well, one with signers that are
not. How clips are divided tells which is which; for splits that came with the corpus, the evaluation has looked.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sign_recog.evaluation.folds import Pooled, outcomes_of, pool
from sign_recog.evaluation.outcomes import Outcomes, gap_interval

if TYPE_CHECKING:
    from sign_recog.evaluation.aggregate import Group

# What of data.split only says how clips are divided; the rest says which clips there are.
DIVISION = tuple(f"data.split.{name}" for name in ("strategy", "val_share", "test_share", "folds", "fold", "seed"))
_UNSEEN = {"random": False, "kfold": False, "signer_disjoint": True, "kfold_signer": True}


@dataclass
class Gap:
    """The same settings with signers that are seen and with signers that are not.

    Attributes:
        settings_seen, settings_unseen: The two groups.
        seen, unseen: Top-1 per instance of each over all its clips.
        gap: seen less unseen, with its 95 % interval.
        paired: Whether both are of the same clips.
    """

    settings_seen: str
    settings_unseen: str
    strategy_seen: str
    strategy_unseen: str
    seen: Pooled
    unseen: Pooled
    gap: float
    ci95: tuple[float, float]
    paired: bool

    @property
    def text(self) -> str:
        """The result in one sentence."""
        low, high = (100 * bound for bound in self.ci95)
        return (
            f"The split {self.strategy_seen}, whose signers are in train, says {100 * self.seen.accuracy:.1f} %; "
            f"{self.strategy_unseen}, with unseen signers, {100 * self.unseen.accuracy:.1f} %: a gap of "
            f"{100 * self.gap:.1f} points (95 % interval {low:.1f} to {high:.1f})."
        )


def find_gaps(groups: Sequence["Group"], split: str) -> tuple[list[Gap], list[str]]:
    """Compare every two groups whose settings differ in the division of the clips only; and say where that fails."""
    by_settings = defaultdict(list)
    for group in groups:
        if group.runs:
            by_settings[group.runs[0].settings_without(*DIVISION)].append(group)
    gaps, problems = [], []
    for members in by_settings.values():
        sides = {unseen: [g for g in members if unseen_signers(g) is unseen] for unseen in (False, True)}
        for seen in sides[False]:
            for unseen in sides[True]:
                try:
                    pair = outcomes_of(seen.runs, split), outcomes_of(unseen.runs, split)
                except (OSError, ValueError, KeyError) as error:
                    problems.append(f"{seen.settings} and {unseen.settings} have no gap: {error}. Evaluate them again.")
                    continue
                gaps.append(_compare(seen, unseen, *pair))
    return gaps, problems


def unseen_signers(group: "Group") -> bool | None:
    """Whether no signer of the scored clips is in train; None = not known, or some runs differ."""
    found = {_unseen(run.data.get("unseen_signers"), run.strategy) for run in group.runs}
    return found.pop() if len(found) == 1 else None


def _unseen(measured: bool | None, strategy: str | None) -> bool | None:
    return measured if measured is not None else _UNSEEN.get(strategy or "")


def _compare(seen: "Group", unseen: "Group", first: Outcomes, second: Outcomes) -> Gap:
    return Gap(
        settings_seen=seen.settings,
        settings_unseen=unseen.settings,
        strategy_seen=seen.runs[0].strategy or "",
        strategy_unseen=unseen.runs[0].strategy or "",
        seen=pool(first),
        unseen=pool(second),
        gap=first.accuracy - second.accuracy,
        ci95=gap_interval(first, second),
        paired=first.clip_ids == second.clip_ids,
    )

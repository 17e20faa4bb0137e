"""Runs side by side, ranked only where their scores can be compared.

Two scores can be compared where corpus, division of the clips, the clips that were scored, the list of glosses and the
views of a clip are the same. Runs that differ in one of these stand in sets of their own, with the reason, and no rank
goes across sets.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sign_recog.errors import DataError
from sign_recog.evaluation.aggregate import Group, Sweep, build_sweep
from sign_recog.evaluation.folds import predictions_path
from sign_recog.evaluation.runs import RunResult
from sign_recog.evaluation.significance import compare_predictions
from sign_recog.evaluation.views import views_of

HEADLINE = "top1_per_instance"
_KINDS = {
    "corpus": "another corpus",
    "division": "another division of the clips (split_strategy)",
    "clips": "other clips were scored (clips_hash)",
    "glosses": "another list of glosses (glosses_hash)",
    "views": "another number of views of a clip (evaluation.views, parts of its time x parts of its picture)",
}


@dataclass(frozen=True)
class Basis:
    """On what a score was measured.

    Attributes:
        clips: A hash of the clips, or of each fold's: "0:ab12, 1:cd34".
        views: Of :func:`sign_recog.evaluation.views.views_of`.
    """

    corpus: str
    division: str
    clips: str
    glosses: str
    views: str
    num_clips: int = field(compare=False, default=0)

    def differences(self, other: "Basis") -> list[str]:
        """Why scores on ``other`` cannot stand beside those on this one; a sentence each."""
        found = []
        for name, text in _KINDS.items():
            here, there = getattr(self, name), getattr(other, name)
            if here != there:
                sizes = f"; {self.num_clips} clips here, {other.num_clips} there" if name == "clips" else ""
                found.append(f"{text}: {here or 'not recorded'} here, {there or 'not recorded'} there{sizes}.")
        return found


@dataclass
class Comparable:
    """Settings whose scores can be compared.

    Attributes:
        reasons: Why they do not stand in the first set; empty for that set itself.
        notes: What differs in how they were trained or scored, and may explain a difference of scores.
        significance: Settings -> the best setting against it: ``difference`` of top-1 and its interval, McNemar's
            ``p_value`` and ``method``, the ``seeds`` whose runs were compared; or ``problem``.
    """

    basis: Basis
    sweep: Sweep
    reasons: list[str]
    notes: list[str]
    significance: dict[str, dict[str, Any]]

    @property
    def groups(self) -> list[Group]:
        """Best first."""
        return self.sweep.groups


@dataclass
class Comparison:
    """All chosen runs.

    Attributes:
        sets: The one with most runs first.
        unscored: Runs without scores on the split.
        names: Settings -> what the group is called, such as "s3d" or "s3d lr=0.001".
    """

    split: str
    sets: list[Comparable]
    unscored: list[RunResult]
    names: dict[str, str]

    @property
    def warnings(self) -> list[str]:
        """Sentences on what must not be read into the page."""
        found = []
        if len(self.sets) > 1:
            found.append(
                f"These runs cannot all be ranked: they were not scored on the same clips with the same glosses and "
                f"views. They stand in {len(self.sets)} sets, and only the scores within one can be compared."
            )
        if self.unscored:
            found.append(f"{len(self.unscored)} runs have no scores on {self.split}; they are listed at the end.")
        return list(dict.fromkeys([*found, *(text for one in self.sets for text in one.sweep.warnings)]))


def compare_runs(runs: Iterable[RunResult], *, split: str) -> Comparison:
    """Put ``runs`` into sets that can be compared, group them by settings, and test the best against the others.

    Raises:
        DataError: If none of them has scores on ``split``.
    """
    members = list(runs)
    scored = [run for run in members if run.state == "scored"]
    if not scored:
        raise DataError(
            f"None of {len(members)} runs has scores on {split}. Run run=evaluate run.split={split} for them."
        )
    by_basis: dict[Basis, list[Group]] = defaultdict(list)
    for part in _parts(scored):
        for group in build_sweep(part, split=split).groups:
            by_basis[_basis(group.runs)].append(group)
    bases = sorted(by_basis, key=lambda b: (-sum(len(group.runs) for group in by_basis[b]), str(b)))
    sets = []
    for basis in bases:
        sweep = build_sweep([run for group in by_basis[basis] for run in group.runs], split=split)
        reasons = basis.differences(bases[0]) if basis != bases[0] else []
        sets.append(Comparable(basis, sweep, reasons, _notes(sweep.groups, split), _significance(sweep.groups, split)))
    unscored = [run for run in members if run.state != "scored"]
    return Comparison(split, sets, unscored, _names([group for one in sets for group in one.groups]))


def _parts(runs: Sequence[RunResult]) -> list[list[RunResult]]:
    """Runs that may share a group: no mean of two sets of clips, as of a corpus prepared anew, or of other views."""
    parts: dict[tuple[str, ...], list[RunResult]] = defaultdict(list)
    for run in runs:
        own = _basis([run])
        clips = "" if run.fold is not None else own.clips
        parts[own.corpus, own.division, own.glosses, own.views, clips].append(run)
    return list(parts.values())


def _basis(runs: Sequence[RunResult]) -> Basis:
    """Of the runs of one group, which share all but the fold's clips."""
    data = runs[0].data
    if runs[0].fold is None:
        clips, size = str(data.get("clips_hash") or ""), int(data.get("clips") or 0)
    else:
        folds = {run.fold: (run.data.get("clips_hash"), int(run.data.get("clips") or 0)) for run in runs}
        clips = ", ".join(f"{fold}:{found}" for fold, (found, _) in sorted(folds.items()))
        size = sum(count for _, count in folds.values())
    division = str(data.get("split_strategy") or runs[0].strategy or "")
    return Basis(str(data.get("corpus") or ""), division, clips, _glosses_hash(runs[0]), views_of(data), size)


def _glosses_hash(run: RunResult) -> str:
    """As recorded, or for runs of earlier versions from the glosses in their scores, in the same way."""
    if recorded := run.data.get("glosses_hash"):
        return str(recorded)
    names = sorted(row["gloss"] for row in run.scores.get("per_class") or [])
    return hashlib.blake2b("\n".join(names).encode(), digest_size=8).hexdigest() if names else ""


def _notes(groups: Sequence[Group], split: str) -> list[str]:
    """Differences in what was trained on and how it was scored, which do not forbid a comparison but belong to it."""
    runs = [run for group in groups for run in group.runs]
    found = []
    trained: dict[Any, list[str]] = defaultdict(list)
    for run in runs:
        if run.fold is None and run.data.get("train_clips_hash"):
            trained[run.data["train_clips_hash"]].append(_trained_on(run))
    if len(trained) > 1:
        texts = [f"{Counter(own).most_common(1)[0][0]} ({_runs(len(own))})" for own in trained.values()]
        found.append(f"They were not trained on the same clips: {'; '.join(texts)}.")
    coverages = {text for run in runs if (text := _coverage(run, split))}
    return found + [f"Clips of {split} that were kept: {text}." for text in sorted(coverages)]


def _trained_on(run: RunResult) -> str:
    count = run.data.get("train_clips")
    return _coverage(run, "train") or (f"{count} clips" if count else "clips that were not counted")


def _coverage(run: RunResult, split: str) -> str:
    """What a corpus kept of a split: "1007 of 1442, without 400 missing, 35 too short"; "" = not recorded."""
    row = ((run.data.get("coverage") or {}).get(split)) or {}
    if not row.get("annotated"):
        return ""
    reasons = ", ".join(f"{count} {reason}" for reason, count in (row.get("left_out") or {}).items())
    return f"{row['kept']} of {row['annotated']}{f', without {reasons}' if reasons else ''}"


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _significance(groups: Sequence[Group], split: str) -> dict[str, dict[str, Any]]:
    best = groups[0]
    return {group.settings: _against(best, group, split) for group in groups[1:]}


def _against(best: Group, other: Group, split: str) -> dict[str, Any]:
    if best.folds is not None or other.folds is not None:
        return {"problem": "folds: each run has scored only some of the clips"}
    pairs = [(a, b) for a in best.runs for b in other.runs if a.seed == b.seed] or [(best.runs[0], other.runs[0])]
    first, second = pairs[0]  # runs are sorted by seed
    try:
        found = compare_predictions(predictions_path(first.folder, split), predictions_path(second.folder, split))
    except DataError as error:
        return {"problem": str(error)}
    return {"seeds": [first.seed, second.seed], **found}


def _names(groups: Sequence[Group]) -> dict[str, str]:
    """A short name for each group: its network, and where that is not enough the settings that tell it apart."""
    networks = {group.settings: _network(group.runs[0]) for group in groups}
    by_network: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        by_network[networks[group.settings]].append(group)
    names = {}
    for network, own in by_network.items():
        for group in own:
            told = _told_apart(group, own)
            names[group.settings] = (
                " ".join([network, *told]) if told or len(own) == 1 else f"{network} {group.settings}"
            )
    double = {name for name, count in Counter(names.values()).items() if count > 1}
    return {settings: f"{name} {settings}" if name in double else name for settings, name in names.items()}


def _network(run: RunResult) -> str:
    return run.choices.get("model") or str(run.config.get("model._target_") or "run").rpartition(".")[2]


def _told_apart(group: Group, others: Sequence[Group], most: int = 3) -> list[str]:
    """Up to ``most`` settings in which groups of one network differ: options first, then single values."""
    config, choices = group.runs[0].config, group.runs[0].choices
    pairs = [(key, str(value), [other.runs[0].choices.get(key) for other in others]) for key, value in choices.items()]
    options = [f"{key}={value}" for key, value, all_ in pairs if key != "run" and len(set(map(str, all_))) > 1]
    explained = {option.partition("=")[0].replace("/", ".") for option in options}
    differing = [
        f"{key.rpartition('.')[2]}={config[key]}"
        for key in group.differing
        if key in config
        and not key.endswith(("_target_", ".name"))
        and key.partition(".")[0] not in explained
        and len({str(other.runs[0].config.get(key)) for other in others}) > 1
    ]
    return [*options, *differing][:most]

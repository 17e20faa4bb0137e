"""From the settings ``data.split`` to clips with splits."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from sign_recog.config.split import SplitConfig, SplitStrategy
from sign_recog.corpora.splits.assign import assign_splits
from sign_recog.corpora.splits.kfold import signer_folds, split_of_fold, stratified_folds
from sign_recog.corpora.splits.subset import drop_partial_glosses, take_train_share
from sign_recog.errors import DataError
from sign_recog.storage.manifest import Clip, listing


def divide(clips: Sequence[Clip], settings: SplitConfig) -> tuple[list[Clip], list[str]]:
    """Return the clips that are used, each with a split, and what the user should know about the others.

    Raises:
        DataError: If the strategy lacks what it needs, a fold could not learn a gloss it is asked, or no clip is left.
    """
    if settings.strategy in (SplitStrategy.kfold, SplitStrategy.kfold_signer):
        clips, notes = _divide_into_folds(clips, settings)
    else:
        clips, notes = _divide_by_shares(clips, settings)
    if not clips:
        raise DataError("No clip is left. Change data.split or data.split.drop_partial_glosses.")
    if settings.train_share < 1:
        before = sum(clip.split == "train" for clip in clips)
        clips = take_train_share(clips, settings.train_share, seed=settings.seed)
        kept = sum(clip.split == "train" for clip in clips)
        notes.append(f"data.split.train_share={settings.train_share:g} keeps {kept} of {before} train clips.")
    return list(clips), notes


def _divide_by_shares(clips: Sequence[Clip], settings: SplitConfig) -> tuple[list[Clip], list[str]]:
    divided = assign_splits(
        clips,
        settings.strategy.value,
        val_share=settings.val_share,
        test_share=settings.test_share,
        seed=settings.seed,
    )
    if not settings.drop_partial_glosses:
        return divided, []
    return _dropped(divided, drop_partial_glosses(divided), "a split lacks them")


def _divide_into_folds(clips: Sequence[Clip], settings: SplitConfig) -> tuple[list[Clip], list[str]]:
    """Every fold works on the same glosses, so that together they test each clip once."""
    make = signer_folds if settings.strategy is SplitStrategy.kfold_signer else stratified_folds
    folds = settings.folds
    fold_of, notes = make(clips, folds=folds, seed=settings.seed), list[str]()
    if settings.drop_partial_glosses:
        where = _folds_of_glosses(clips, fold_of)
        everywhere = [clip for clip in clips if len(where[clip.gloss]) == folds]
        clips, notes = _dropped(clips, everywhere, f"one of the {folds} folds lacks them")
    _refuse_unlearnable(_folds_of_glosses(clips, fold_of), folds)
    splits = {number: split_of_fold(number, fold=settings.fold, folds=folds) for number in range(folds)}
    return [replace(clip, split=splits[fold_of[clip.clip_id]]) for clip in clips], notes


def _folds_of_glosses(clips: Sequence[Clip], fold_of: dict[str, int]) -> dict[str, set[int]]:
    where = defaultdict(set)
    for clip in clips:
        where[clip.gloss].add(fold_of[clip.clip_id])
    return where


def _refuse_unlearnable(where: dict[str, set[int]], folds: int) -> None:
    """A gloss whose clips are all in one fold, or in two that follow each other, is missing from train in a run."""
    neighbours = [{fold, (fold + 1) % folds} for fold in range(folds)]
    bad = sorted(gloss for gloss, own in where.items() if gloss and any(own <= pair for pair in neighbours))
    if bad:
        named = [f"{gloss}: in fold {' and '.join(map(str, sorted(where[gloss])))} alone" for gloss in bad]
        head = f"{len(bad)} of {len(where)} glosses would be missing from train in one of the {folds} runs."
        raise DataError(
            f"{listing(head, named)}\nLeave out every gloss that a fold lacks, data.split.drop_partial_glosses=true, "
            f"or these: data.exclude_glosses=[{','.join(bad)}]."
        )


def _dropped(clips: Sequence[Clip], kept: list[Clip], why: str) -> tuple[list[Clip], list[str]]:
    dropped = sorted({clip.gloss for clip in clips} - {clip.gloss for clip in kept})
    return kept, [f"{len(dropped)} glosses are left out, since {why}: {', '.join(dropped)}."] if dropped else []

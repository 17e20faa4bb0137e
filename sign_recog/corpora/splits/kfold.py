"""K-fold cross-validation: every clip is tested exactly once over the folds.

With K folds, run k tests on fold k, validates on the next fold (k + 1, after the last comes the first) and trains on
the other K - 2. So val has signers of its own wherever test has.
"""

import random
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from sign_recog.corpora.splits.signers import count_by_signer
from sign_recog.storage.manifest import Clip

_NUM_ORDERS = 100  # orders of the signers that kfold_signer tries


def split_of_fold(number: int, *, fold: int, folds: int) -> str:
    """The split that fold ``number`` is when fold ``fold`` is tested.

    >>> [split_of_fold(number, fold=3, folds=4) for number in range(4)]
    ['val', 'train', 'train', 'test']
    """
    return {fold: "test", (fold + 1) % folds: "val"}.get(number, "train")


def stratified_folds(clips: Sequence[Clip], *, folds: int, seed: int) -> dict[str, int]:
    """clip_id -> fold. Each gloss's clips, and all clips, are spread so that folds differ by at most one clip.

    The same clips and seed give the same folds on every machine, whatever the order of the clips.
    """
    rng = random.Random(seed)
    by_gloss = defaultdict(list)
    for clip in sorted(clips, key=lambda c: c.clip_id):
        by_gloss[clip.gloss].append(clip.clip_id)
    # Only random() gives the same numbers in every Python version, so it makes the orders.
    dealt = [name for gloss in sorted(by_gloss) for name in sorted(by_gloss[gloss], key=lambda _: rng.random())]
    order = sorted(range(folds), key=lambda _: rng.random())
    return {clip_id: order[i % folds] for i, clip_id in enumerate(dealt)}


def signer_folds(clips: Sequence[Clip], *, folds: int, seed: int) -> dict[str, int]:
    """clip_id -> fold, each signer in one; folds are alike in size and in the clips of every gloss, as far as possible.

    Of many orders of the signers, each dealt out greedily, the one with the most even folds. scikit-learn's
    StratifiedGroupKFold deals out one order, and another one since its version 1.8; counts are whole numbers here, so
    that the same clips and seed give the same folds on every machine.

    Raises:
        DataError: If a clip has no signer, or there are fewer signers than folds.
    """
    remedy = (
        "Lower data.split.folds (at least 3), or use data.split.strategy=kfold, and report that signers are shared."
    )
    signers, counts = count_by_signer(clips, "kfold_signer", at_least=folds, remedy=remedy)
    rng = random.Random(seed)
    best, lowest = np.zeros(len(signers), np.int64), None
    for number in range(_NUM_ORDERS):
        order = sorted(range(len(signers)), key=lambda _: rng.random())
        if number % 2 == 0:  # large signers first, as they are the hardest to place; the order breaks ties
            order.sort(key=lambda signer: -int(counts[signer].sum()))
        fold_of, cost = _deal(order, counts, folds)
        if lowest is None or cost < lowest:
            best, lowest = fold_of, cost
    numbers = sorted(range(folds), key=lambda _: rng.random())
    number_of = {signer: numbers[fold] for signer, fold in zip(signers, best, strict=True)}
    return {clip.clip_id: number_of[clip.signer] for clip in clips}


def _deal(order: list[int], counts: np.ndarray, folds: int) -> tuple[np.ndarray, int]:
    """Give each signer of ``order`` to the fold where the folds stay most even: (S,) folds, and how uneven they are.

    Uneven is the sum over glosses of the folds' squared distances from their even share, relative to the
    gloss's clips, and the same for all clips together, which weighs as much as all glosses.
    """
    columns = np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1)  # (S, G + 1)
    totals = columns.sum(axis=0)
    weights = 100_000_000_000 // totals**2
    weights[-1] = len(totals) * 100_000_000_000 // totals[-1] ** 2
    dealt, fold_of = np.zeros((folds, len(totals)), np.int64), np.zeros(len(order), np.int64)
    empty = folds
    for place, signer in enumerate(order):
        taken = dealt.any(axis=1)
        # Adding a to b raises the squares' sum by a (a + 2b); what is subtracted from b is the same for every fold.
        costs = (weights * columns[signer] * (columns[signer] + 2 * dealt)).sum(axis=1)
        if len(order) - place <= empty:  # each signer that is left must open a fold
            costs[taken] = np.iinfo(np.int64).max
        fold = int(costs.argmin())
        empty -= int(not taken[fold])
        dealt[fold] += columns[signer]
        fold_of[signer] = fold
    return fold_of, int((weights * (folds * dealt - totals) ** 2).sum())

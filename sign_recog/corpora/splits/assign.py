"""Train, val and test: as the annotation has them, at random, or with signers of their own."""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sign_recog.corpora.splits.signers import count_by_signer
from sign_recog.errors import DataError
from sign_recog.storage.manifest import SPLITS, Clip, listing

_NUM_CANDIDATES = 2000  # divisions of the signers that signer_disjoint compares


def assign_splits(
    clips: Sequence[Clip], strategy: str, *, val_share: float, test_share: float, seed: int
) -> list[Clip]:
    """Return the clips, in their order, each with a split.

    The same clips, shares and seed give the same split on every machine, whatever the order of the clips.

    Args:
        strategy: ``given`` keeps the annotation's. ``random`` takes each gloss apart by the shares: a gloss of n
            clips gives val and test their share of n, rounded up or down, and always leaves one to train.
            ``signer_disjoint`` gives each signer to one split: of many divisions of the signers, the one that best
            meets the shares and covers the glosses. ``video_disjoint`` does so with the videos that clips are cut from.
        val_share, test_share: Of the clips, above 0 and together below 1; ``given`` does not read them.

    Raises:
        DataError: If clips lack a split (given) or a signer (signer_disjoint), or there are fewer than 3 signers or
            videos.
    """
    if strategy == "given":
        _refuse_unassigned(clips)
        return list(clips)
    if strategy == "random":
        splits = _random(clips, val_share, test_share, random.Random(seed))
    elif strategy == "signer_disjoint":
        signer_split = _divide_signers(clips, val_share, test_share, random.Random(seed))
        splits = {clip.clip_id: signer_split[clip.signer] for clip in clips}
    elif strategy == "video_disjoint":
        _refuse_few_videos(clips)
        by_video = [replace(clip, signer=clip.video) for clip in clips]
        video_split = _divide_signers(by_video, val_share, test_share, random.Random(seed))
        splits = {clip.clip_id: video_split[clip.video] for clip in clips}
    else:
        raise ValueError(f"strategy={strategy!r} is none of given, random, signer_disjoint, video_disjoint.")
    return [replace(clip, split=splits[clip.clip_id]) for clip in clips]


def _refuse_unassigned(clips: Sequence[Clip]) -> None:
    without = Counter(clip.gloss or clip.clip_id for clip in clips if clip.split not in SPLITS)
    if without:
        raise DataError(
            listing(
                f"{without.total()} of {len(clips)} clips have no split. Add it to the annotation, or let it be made "
                "with another data.split.strategy: random, signer_disjoint, video_disjoint, kfold or kfold_signer.",
                [f"{name}: {count} clips" for name, count in sorted(without.items())],
            )
        )


def _refuse_few_videos(clips: Sequence[Clip]) -> None:
    videos = {clip.video for clip in clips}
    if "" in videos or len(videos) < len(SPLITS):
        found = "some have no video" if "" in videos else f"only {len(videos)} ({', '.join(sorted(videos))})"
        raise DataError(
            f"data.split.strategy=video_disjoint needs {len(SPLITS)} videos, one for each split, and there are: "
            f"{found}. Use data.split.strategy=random, and report that videos are shared."
        )


def _random(clips: Sequence[Clip], val_share: float, test_share: float, rng: random.Random) -> dict[str, str]:
    by_gloss = defaultdict(list)
    for clip in sorted(clips, key=lambda c: c.clip_id):
        by_gloss[clip.gloss].append(clip.clip_id)
    splits = {clip.clip_id: "train" for clip in clips}
    shares, owed = {"val": val_share, "test": test_share}, {"val": 0.0, "test": 0.0}
    # Only random() gives the same numbers in every Python version, so it makes the orders.
    for gloss in sorted(sorted(by_gloss), key=lambda _: rng.random()):
        members = sorted(by_gloss[gloss], key=lambda _: rng.random())
        wanted = {split: round(len(members) * share, 6) for split, share in shares.items()}
        owed = {split: owed[split] + wanted[split] for split in owed}  # and what rounding kept from it so far
        for split in sorted(owed, key=lambda name: -owed[name]):
            count = min(max(round(owed[split]), math.floor(wanted[split])), math.ceil(wanted[split]), len(members) - 1)
            owed[split] -= count
            splits |= dict.fromkeys(members[:count], split)
            members = members[count:]
    return splits


def _divide_signers(clips: Sequence[Clip], val_share: float, test_share: float, rng: random.Random) -> dict[str, str]:
    remedy = "Use data.split.strategy=random, and report that signers are shared."
    signers, counts = count_by_signer(clips, "signer_disjoint", at_least=len(SPLITS), remedy=remedy)
    shares = np.array([1 - val_share - test_share, val_share, test_share])
    best, lowest = np.zeros(len(signers), int), math.inf
    for _ in range(_NUM_CANDIDATES):
        order = np.array(sorted(range(len(signers)), key=lambda _: rng.random()))
        candidate = _fill(order, counts.sum(axis=1), shares)
        cost = _cost(candidate, counts, shares)
        if cost < lowest:
            best, lowest = candidate, cost
    return {signer: SPLITS[i] for signer, i in zip(signers, best, strict=True)}


def _fill(order: np.ndarray, sizes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Give test, then val the first signers of ``order``, as many as come closest to their share; train the rest."""
    splits = np.zeros(len(order), int)
    start = 0
    for split, reserved in ((2, 2), (1, 1)):  # reserved: signers that the later splits need
        filled = np.cumsum(sizes[order[start : len(order) - reserved]])
        count = int(np.argmin(np.abs(filled - shares[split] * sizes.sum()))) + 1
        splits[order[start : start + count]] = split
        start += count
    return splits


def _cost(splits: np.ndarray, counts: np.ndarray, shares: np.ndarray) -> float:
    """Deviation from the shares, and the share of glosses that each split lacks; train's count double."""
    per_split = np.stack([counts[splits == i].sum(axis=0) for i in range(len(SPLITS))])
    missing = (per_split == 0).mean(axis=1)
    return float(np.abs(per_split.sum(axis=1) / counts.sum() - shares).sum() + missing.sum() + missing[0])

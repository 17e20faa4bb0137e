"""Which clips train, validate and test; and what a score on such a split can and cannot say."""

import difflib
import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

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
            meets the shares and covers the glosses.
        val_share, test_share: Of the clips, above 0 and together below 1; ``given`` does not read them.

    Raises:
        DataError: If clips lack a split (given) or a signer (signer_disjoint), or there are fewer than 3 signers.
    """
    if strategy == "given":
        _refuse_unassigned(clips)
        return list(clips)
    if strategy == "random":
        splits = _random(clips, val_share, test_share, random.Random(seed))
    elif strategy == "signer_disjoint":
        signer_split = _divide_signers(clips, val_share, test_share, random.Random(seed))
        splits = {clip.clip_id: signer_split[clip.signer] for clip in clips}
    else:
        raise ValueError(f"strategy={strategy!r} is none of given, random, signer_disjoint.")
    return [replace(clip, split=splits[clip.clip_id]) for clip in clips]


def leakage(clips: Sequence[Clip], fingerprints: Mapping[str, str] | None = None) -> list[str]:
    """Return what one split knows of another, a sentence each: shared signers, and clips that are in two splits.

    Args:
        fingerprints: ``Clip.video`` (or clip_id, for clips without a video) -> a hash of the file's content. With
            it, copies under other names are found too.
    """
    clips = [clip for clip in clips if clip.split]
    return [*_shared_signers(clips), *_shared_footage(clips, fingerprints or {})]


def gloss_coverage(clips: Sequence[Clip]) -> list[str]:
    """Return, a sentence each, which glosses a split lacks; a gloss that only val or test has cannot be learned."""
    labelled = [clip for clip in clips if clip.gloss]
    glosses = {clip.gloss for clip in labelled}
    found = []
    for split in SPLITS:
        if not any(clip.split == split for clip in clips):
            found.append(f"{split} has no clips.")
            continue
        missing = sorted(glosses - {clip.gloss for clip in labelled if clip.split == split})
        if missing:
            effect = "so they cannot be learned" if split == "train" else "so nothing is known about them there"
            found.append(f"{split} lacks {len(missing)} of {len(glosses)} glosses, {effect}: {', '.join(missing)}.")
    return found


def select_glosses(
    clips: Sequence[Clip], include: Iterable[str] | None = None, exclude: Iterable[str] = ()
) -> list[Clip]:
    """Return the clips of the glosses ``include`` (None = all) without those of ``exclude``.

    Raises:
        DataError: If a name is none of the clips' glosses, with the closest names; or if no clip is left.
    """
    known = {clip.gloss for clip in clips}
    include, exclude = (known if include is None else set(include)), set(exclude)
    unknown = sorted((include | exclude) - known)
    if unknown:
        raise DataError(
            listing(
                f"{len(unknown)} glosses are not in the corpus, which has {len(known)}. "
                "Correct data.glosses or data.exclude_glosses.",
                [f"{name!r}{_closest(name, known)}" for name in unknown],
            )
        )
    kept = [clip for clip in clips if clip.gloss in include - exclude]
    if not kept:
        raise DataError("data.glosses and data.exclude_glosses leave no clip. Name fewer in data.exclude_glosses.")
    return kept


def select_categories(clips: Sequence[Clip], include: Iterable[str] | None) -> list[Clip]:
    """Return the clips of the categories ``include``; None = all.

    Raises:
        DataError: If a name is none of the clips' categories, with the closest names.
    """
    if include is None:
        return list(clips)
    known, wanted = {clip.category for clip in clips} - {""}, set(include)
    if unknown := sorted(wanted - known):
        head = f"{len(unknown)} categories are not in the corpus, which has {len(known)}. Correct data.categories."
        raise DataError(listing(head, [f"{name!r}{_closest(name, known)}" for name in unknown]))
    return [clip for clip in clips if clip.category in wanted]


def drop_partial_glosses(clips: Sequence[Clip]) -> list[Clip]:
    """Return the clips whose gloss is in every split that has clips."""
    splits_of = defaultdict(set)
    for clip in clips:
        splits_of[clip.gloss].add(clip.split)
    used = {clip.split for clip in clips}
    return [clip for clip in clips if splits_of[clip.gloss] == used]


def _refuse_unassigned(clips: Sequence[Clip]) -> None:
    without = Counter(clip.gloss or clip.clip_id for clip in clips if clip.split not in SPLITS)
    if without:
        raise DataError(
            listing(
                f"{without.total()} of {len(clips)} clips have no split. Add it to the annotation, or let it be made "
                "with data.split.strategy=signer_disjoint or random.",
                [f"{name}: {count} clips" for name, count in sorted(without.items())],
            )
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
    nameless = [clip.clip_id for clip in clips if not clip.signer]
    if nameless:
        raise DataError(
            f"{len(nameless)} of {len(clips)} clips have no signer ({', '.join(nameless[:3])}), so "
            "data.split.strategy=signer_disjoint is impossible. Add the signer to the annotation, or use random."
        )
    signers = sorted({clip.signer for clip in clips})
    if len(signers) < len(SPLITS):
        raise DataError(
            f"Only {len(signers)} signers ({', '.join(signers)}): signer_disjoint needs one for each of "
            f"{', '.join(SPLITS)}. Use data.split.strategy=random, and report that signers are shared."
        )
    glosses = sorted({clip.gloss for clip in clips})
    counts = np.zeros((len(signers), len(glosses)))
    row, column = ({name: i for i, name in enumerate(names)} for names in (signers, glosses))
    for clip in clips:
        counts[row[clip.signer], column[clip.gloss]] += 1
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


def _shared_signers(clips: Sequence[Clip]) -> list[str]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for clip in clips:
        counts[clip.signer][clip.split] += 1
    nameless = counts.pop("", Counter()).total()
    found = []
    shared = {signer: splits for signer, splits in counts.items() if len(splits) > 1}
    if shared:
        named = ", ".join(
            f"{signer} ({', '.join(f'{split} {splits[split]}' for split in SPLITS if splits[split])})"
            for signer, splits in sorted(shared.items())
        )
        found.append(
            f"{len(shared)} of {len(counts)} signers are in more than one split, so scores do not tell how well new "
            f"signers are recognised: {named}."
        )
    if nameless:
        found.append(f"{nameless} clips have no signer, so whether splits share signers is unknown.")
    return found


def _shared_footage(clips: Sequence[Clip], fingerprints: Mapping[str, str]) -> list[str]:
    by_content = defaultdict(list)
    for clip in clips:
        name = clip.video or clip.clip_id
        by_content[fingerprints.get(name, f"name:{name}")].append(clip)
    found = []
    for group in by_content.values():
        running: list[Clip] = []
        for clip in sorted(group, key=lambda c: c.start_s):
            running = [other for other in running if other.end_s is None or other.end_s > clip.start_s]
            found += [_twice(other, clip) for other in running if other.split != clip.split]
            running.append(clip)
    return found


def _twice(first: Clip, second: Clip) -> str:
    what = f"the video {first.video}" if first.video == second.video else "the same recording"
    if not first.video:
        what = "the same sequence"
    return f"{what} is in {first.split} ({first.clip_id}) and in {second.split} ({second.clip_id})."


def _closest(name: str, known: Iterable[str]) -> str:
    folded = {other.casefold(): other for other in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=3)
    return f": did you mean {', '.join(folded[c] for c in close)}?" if close else ""

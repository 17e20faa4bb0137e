"""Part of a corpus: some glosses or categories, or a share of the training clips."""

import difflib
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sign_recog.errors import DataError
from sign_recog.storage.manifest import Clip, listing


def select_glosses(
    clips: Sequence[Clip],
    include: Iterable[str] | None = None,
    exclude: Iterable[str] = (),
    ids: Mapping[str, str] | None = None,
) -> list[Clip]:
    """Return the clips of the glosses ``include`` (None = all) without those of ``exclude``.

    Args:
        ids: Number -> gloss, where the annotation numbers them; both may then be given, and a gloss's name wins over
            another's number.

    Raises:
        DataError: If one is none of the clips' glosses, with the closest names; or if no clip is left.
    """
    known = {clip.gloss for clip in clips}
    include = known if include is None else _to_names(include, known, ids or {})
    exclude = _to_names(exclude, known, ids or {})
    unknown = sorted((include | exclude) - known)
    if unknown:
        head = f"{len(unknown)} glosses are not in the corpus, which has {len(known)}. "
        head += "Correct data.glosses or data.exclude_glosses."
        raise DataError(listing(head, [_described(name, known, ids or {}) for name in unknown]))
    kept = [clip for clip in clips if clip.gloss in include - exclude]
    if not kept:
        raise DataError("data.glosses and data.exclude_glosses leave no clip. Name fewer in data.exclude_glosses.")
    return kept


def select_categories(
    clips: Sequence[Clip], include: Iterable[str] | None, ids: Mapping[str, str] | None = None
) -> list[Clip]:
    """Return the clips of the categories ``include``; None = all. ``ids`` as in :func:`select_glosses`.

    Raises:
        DataError: If one is none of the clips' categories, with the closest names.
    """
    if include is None:
        return list(clips)
    known = {clip.category for clip in clips} - {""}
    wanted = _to_names(include, known, ids or {})
    if unknown := sorted(wanted - known):
        head = f"{len(unknown)} categories are not in the corpus, which has {len(known)}. Correct data.categories."
        raise DataError(listing(head, [_described(name, known, ids or {}) for name in unknown]))
    return [clip for clip in clips if clip.category in wanted]


def _to_names(given: Iterable[str], known: set[str], ids: Mapping[str, str]) -> set[str]:
    """Names and numbers as names; what is neither stays as it is."""
    return {name if name in known else ids.get(name, name) for name in map(str, given)}


def drop_partial_glosses(clips: Sequence[Clip]) -> list[Clip]:
    """Return the clips whose gloss is in every split that has clips."""
    splits_of = defaultdict(set)
    for clip in clips:
        splits_of[clip.gloss].add(clip.split)
    used = {clip.split for clip in clips}
    return [clip for clip in clips if splits_of[clip.gloss] == used]


def take_train_share(clips: Sequence[Clip], share: float, *, seed: int) -> list[Clip]:
    """Return the clips with only ``share`` of train's, at least one a gloss: a point of a learning curve.

    Each gloss gives its share, rounded; val and test stay whole. A smaller share of the same seed is contained in a
    larger one. Which clips stay does not depend on other glosses, on the clips' order or on the machine.
    """
    by_gloss = defaultdict(list)
    for clip in clips:
        if clip.split == "train":
            by_gloss[clip.gloss].append(clip.clip_id)
    kept = set()
    for members in by_gloss.values():
        members.sort(key=lambda clip_id: hashlib.blake2b(f"{seed} {clip_id}".encode()).digest())
        kept |= set(members[: max(1, round(share * len(members)))])
    return [clip for clip in clips if clip.split != "train" or clip.clip_id in kept]


def _closest(name: str, known: Iterable[str]) -> str:
    folded = {other.casefold(): other for other in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=3)
    return f": did you mean {', '.join(folded[c] for c in close)}?" if close else ""


def _described(name: str, known: Iterable[str], ids: Mapping[str, str]) -> str:
    numbers = f" (numbered from {min(ids, key=_number)} to {max(ids, key=_number)})" if ids else ""
    return f"{name!r}{_closest(name, known)}" + (numbers if name.isdecimal() else "")


def _number(text: str) -> tuple[bool, int, str]:
    return (not text.isdecimal(), int(text) if text.isdecimal() else 0, text)

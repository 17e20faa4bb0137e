"""What one split knows of another, and what a score on such splits can and cannot say."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from sign_recog.storage.manifest import SPLITS, Clip


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

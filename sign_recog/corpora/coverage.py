"""How much of what a corpus annotates is used, and why the rest is not."""

import csv
import hashlib
import io
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sign_recog.config.schema import DataConfig
from sign_recog.corpora.base import Corpus, LeftOut
from sign_recog.corpora.splits import select_categories, select_glosses
from sign_recog.errors import DataError
from sign_recog.storage import atomic
from sign_recog.storage.manifest import SPLITS, Clip, inside
from sign_recog.video.frame_index import read_frame_index
from sign_recog.video.reader import probe

MOST_NAMED = 10  # glosses in a sentence
UNDIVIDED = "undivided"  # in place of a split: left out before the corpus was divided


def choose(corpus: Corpus, data: DataConfig) -> None:
    """Keep the glosses and categories that ``data`` names, among the clips and among those left out.

    Raises:
        DataError: If it names one that the annotation does not have, or nothing is kept.
    """
    annotated = [*corpus.clips, *(one.clip for one in corpus.left_out or ())]
    chosen = select_categories(annotated, data.categories, corpus.category_ids)
    chosen = select_glosses(chosen, data.glosses, data.exclude_glosses, corpus.gloss_ids)
    names = {clip.clip_id for clip in chosen}
    corpus.clips = [clip for clip in corpus.clips if clip.clip_id in names]
    if corpus.left_out is not None:
        corpus.left_out = [one for one in corpus.left_out if one.clip.clip_id in names]
    if not corpus.clips:
        raise DataError("Of the chosen glosses every clip is left out (missing or unreadable). Choose others.")


def leave_out_short(corpus: Corpus, video_dir: Path, min_frames: int) -> None:
    """Move clips of fewer than ``min_frames`` frames, and those that cannot be read, to ``corpus.left_out``.

    Frames that the reader has not counted are counted in the files' packets; nothing is decoded but a first frame.

    Raises:
        DataError: If no clip is long enough.
    """
    from tqdm import tqdm

    unknown = [clip for clip in corpus.clips if clip.clip_id not in corpus.num_frames]
    unreadable: dict[str, str] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # FFmpeg works outside Python's lock
        counted = pool.map(lambda clip: _count(clip, video_dir), unknown)
        bar = tqdm(counted, total=len(unknown), desc="count frames", unit="clip", mininterval=1.0, disable=None)
        for clip, count in zip(unknown, bar, strict=True):
            if isinstance(count, str):
                unreadable[clip.clip_id] = count
            else:
                corpus.num_frames[clip.clip_id] = count
    kept, left_out = list[Clip](), list(corpus.left_out or ())
    for clip in corpus.clips:
        if clip.clip_id in unreadable:
            left_out.append(LeftOut(clip, "unreadable video", unreadable[clip.clip_id]))
        elif corpus.num_frames[clip.clip_id] < min_frames:
            left_out.append(LeftOut(clip, "too short", f"{corpus.num_frames[clip.clip_id]} of {min_frames} frames"))
        else:
            kept.append(clip)
    if not kept:
        raise DataError(f"No clip has data.min_frames={min_frames} frames. Lower it, or look at the videos.")
    corpus.clips, corpus.left_out = kept, left_out


def without_train_clips(clips: Sequence[Clip], left_out: Sequence[LeftOut]) -> list[LeftOut]:
    """Clips of val and test whose gloss has train clips in the annotation, of which none is left.

    They could only be answered wrongly. A gloss that the annotation itself never has in train is another matter: an
    error in it, or in the choice of split.
    """
    learned = {clip.gloss for clip in clips if clip.split == "train"}
    lost = {one.clip.gloss for one in left_out if one.clip.split == "train"} - learned
    return [LeftOut(clip, "no train clip of its gloss is left", clip.gloss) for clip in clips if clip.gloss in lost]


def lost_glosses(clips: Sequence[Clip], left_out: Sequence[LeftOut]) -> list[str]:
    """A sentence if annotated glosses have no clip left: scores are then over fewer than the corpus is named for.

    >>> lost_glosses([Clip("a", gloss="book")], [LeftOut(Clip("b", gloss="drink"), "missing video")])
    ['1 of 2 glosses have no clip left, so scores are over 1 gloss: drink.']
    """
    kept = {clip.gloss for clip in clips} - {""}
    lost = sorted({one.clip.gloss for one in left_out} - kept - {""})
    if not lost:
        return []
    named = ", ".join(lost[:MOST_NAMED]) + (", ..." if len(lost) > MOST_NAMED else "")
    of = f"{len(kept)} gloss{'es' if len(kept) != 1 else ''}"
    return [f"{len(lost)} of {len(kept) + len(lost)} glosses have no clip left, so scores are over {of}: {named}."]


def coverage(clips: Sequence[Clip], left_out: Sequence[LeftOut] | None) -> dict[str, dict[str, Any]] | None:
    """Split -> ``annotated``, ``kept`` and ``left_out`` (reason -> clips); None where the corpus does not say.

    Clips that the user's own choice leaves out (glosses, a share of train) are not counted as annotated.
    """
    if left_out is None:
        return None
    table = {}
    for split in (*SPLITS, UNDIVIDED):
        reasons = Counter(one.reason for one in left_out if (one.clip.split or UNDIVIDED) == split)
        kept = sum(clip.split == split for clip in clips)
        if split != UNDIVIDED or reasons:
            counts = dict(sorted(reasons.items()))
            table[split] = {"annotated": kept + reasons.total(), "kept": kept, "left_out": counts}
    return table


def coverage_lines(table: dict[str, dict[str, Any]]) -> dict[str, str]:
    """A line a split that has lost clips: ``1442 -> 1007 clips (missing video 431, too short 4)``."""
    lines = {}
    for split, row in table.items():
        reasons = ", ".join(f"{reason} {count}" for reason, count in row["left_out"].items())
        if reasons:
            lines[split] = f"{row['annotated']} -> {row['kept']} clips ({reasons})"
    return lines


def write_left_out(path: Path, left_out: Sequence[LeftOut]) -> None:
    """Write left_out.tsv: ``clip_id``, ``split``, ``reason``, ``detail``, in the order of the first."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", lineterminator="\n")
    writer.writerow(["clip_id", "split", "reason", "detail"])
    for one in sorted(left_out, key=lambda one: one.clip.clip_id):
        writer.writerow([one.clip.clip_id, one.clip.split, one.reason, " ".join(one.detail.split())])
    atomic.write_text(path, buffer.getvalue())


def kept_ids(folder: Path, clips: Sequence[Clip]) -> dict[str, str]:
    """Write ``kept_<split>.txt``, the clip_ids that are used, one a line and sorted; return split -> its SHA-256.

    Two trainings or scores are of the same clips if these agree; ``sha256sum kept_test.txt`` gives it, too.
    """
    hashes = {}
    for split in SPLITS:
        names = sorted(clip.clip_id for clip in clips if clip.split == split)
        content = "".join(f"{name}\n" for name in names)
        atomic.write_text(folder / f"kept_{split}.txt", content)
        hashes[split] = hashlib.sha256(content.encode()).hexdigest()
    return hashes


def _count(clip: Clip, video_dir: Path) -> int | str:
    """Frames of a clip, or why it cannot be read."""
    try:
        path = inside(video_dir, clip.video)
        probe(path)
        return len(read_frame_index(path).span(clip.start_s, clip.end_s))
    except DataError as error:
        return str(error)

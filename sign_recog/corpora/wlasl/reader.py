"""WLASL's files -> clips: which videos there are, which of their frames are the sign, and what is left out."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, replace
from pathlib import Path

from sign_recog.corpora.annotation import to_folder
from sign_recog.corpora.base import Corpus, LeftOut
from sign_recog.corpora.frame_ranges import OutOfVideo, Span, range_to_span
from sign_recog.corpora.wlasl.annotation import Entry, Listed, parse_listed, parse_nslt, read_class_list
from sign_recog.corpora.wlasl.files import CLASS_LIST, Found, find_annotation, find_videos
from sign_recog.errors import ConfigError, DataError
from sign_recog.storage.manifest import Clip, listing
from sign_recog.storage.memo import Memo
from sign_recog.video.frame_index import read_frame_index
from sign_recog.video.reader import probe


def read(source: str | None, out_dir: Path, *, video_dir: str | None, subset: int) -> Corpus:
    """Read a subset of WLASL; a clip is the annotated frames of ``<video_dir>/[videos/]<video_id>.mp4``.

    Where there are both forms of the annotation (:mod:`sign_recog.corpora.wlasl.annotation`), nslt_<N>.json decides
    which videos belong to the subset, their split, class and frames, and the other gives glosses, boxes and signers.

    Args:
        source: The annotation file, or its folder; None = it lies in ``video_dir``, in the folder above, or in a
            folder ``splits`` of either.
        out_dir: Gets ``frame_spans.json``, so that another command need not open every video again.
        subset: Number of glosses: 100, 300, 1000 or 2000, or another for which there is an annotation.

    Raises:
        ConfigError: If no folder of videos is given, or ``subset`` is no number of glosses.
        DataError: If annotation or videos are not found, or an annotation file is damaged.
    """
    if video_dir is None:
        raise ConfigError("data.video_dir=null: say where WLASL's videos are, data.video_dir=FOLDER.")
    if subset < 1:
        raise ConfigError(f"data.corpus.subset={subset} must be a number of glosses: 100, 300, 1000 or 2000.")
    folder = to_folder(video_dir)
    found = find_annotation(source, folder, subset)
    entries, names, notes = _combined(found, subset)
    videos = find_videos(folder)
    if not any(entry.video_id in videos for entry in entries):
        first = ", ".join(f"{entry.video_id}.mp4" for entry in entries[:3])
        raise DataError(
            f"None of the {len(entries)} videos of WLASL{subset} is in {folder} or {folder / 'videos'} (looked for "
            f"{first}, ...). Set data.video_dir to the folder of the videos."
        )
    corpus = Corpus([], folder, gloss_ids=names, notes=notes, left_out=[])
    annotated = [(entry, _clip(entry, names, videos)) for entry in entries]
    memo = Memo(out_dir / "frame_spans.json")
    _measure(corpus, annotated, folder, memo)
    memo.save()
    return corpus


def _combined(found: Found, subset: int) -> tuple[list[Entry], dict[str, str], list[str]]:
    """Entries, class number -> gloss, and what was used."""
    listed: Listed | None = None
    notes = []
    if found.listed is not None:
        listed = parse_listed(*found.listed)
    if found.nslt is not None:
        path, content = found.nslt
        entries = [entry for entry in parse_nslt(path, content) if entry.class_id < subset]
        notes.append(f"Clips, splits and frames are those of {path} (classes below {subset}).")
        if listed is not None and found.listed is not None:
            known = sum(entry.video_id in listed.entries for entry in entries)
            notes.append(f"Boxes and signers are those of {found.listed[0]}, for {known} of {len(entries)} clips.")
            entries = [_with_box(entry, listed.entries.get(entry.video_id)) for entry in entries]
    elif listed is not None and found.listed is not None:
        path = found.listed[0]
        entries = [entry for entry in listed.entries.values() if entry.class_id < subset]
        notes.append(f"Everything is read from {path} (its first {subset} glosses).")
    if not entries:
        raise DataError(f"{path}: holds no clip of the first {subset} glosses. Give the annotation of WLASL{subset}.")
    classes = {entry.class_id for entry in entries}
    if len(classes) < subset:
        notes.append(f"{path} names {len(classes)} of the {subset} glosses.")
    return entries, _names(classes, listed, found, notes), notes


def _with_box(entry: Entry, other: Entry | None) -> Entry:
    return entry if other is None else replace(entry, signer=other.signer, extra=other.extra)


def _names(classes: set[int], listed: Listed | None, found: Found, notes: list[str]) -> dict[str, str]:
    """Class number -> gloss."""
    if listed is not None and found.listed is not None:
        source, names = found.listed[0], dict(enumerate(listed.glosses))
    elif found.class_list is not None:
        source, names = found.class_list, read_class_list(found.class_list)
    else:
        notes.append(f"Neither {CLASS_LIST} nor WLASL_v0.3.json is there, so glosses are called by their numbers.")
        return {str(number): str(number) for number in sorted(classes)}
    unnamed = sorted(classes - set(names))
    if unnamed:
        shown = ", ".join(map(str, unnamed[:5])) + (", ..." if len(unnamed) > 5 else "")
        raise DataError(
            f"{source}: names {len(names)} glosses, and the annotation has {len(unnamed)} classes beyond them "
            f"({shown}). Give the list that belongs to the annotation, or remove it to call glosses by their numbers."
        )
    same = [name for name, count in Counter(names[number] for number in classes).items() if count > 1]
    if same:
        raise DataError(listing(f"{source}: {len(same)} names stand for several classes.", same))
    notes.append(f"Names of glosses are those of {source}.")
    return {str(number): names[number] for number in sorted(classes)}


def _clip(entry: Entry, names: dict[str, str], videos: dict[str, str]) -> Clip:
    extra = {"first_frame": str(entry.first), "last_frame": str(entry.last), **entry.extra}
    return Clip(
        entry.video_id,
        videos.get(entry.video_id, ""),
        split=entry.split,
        signer=entry.signer,
        gloss=names[str(entry.class_id)],
        extra=extra,
    )


def _measure(corpus: Corpus, annotated: list[tuple[Entry, Clip]], folder: Path, memo: Memo) -> None:
    """Put every clip among those that can be read, with its span, or those left out, with its reason."""
    from tqdm import tqdm

    assert corpus.left_out is not None
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # FFmpeg works outside Python's lock
        spans = pool.map(lambda pair: _span(pair[0], pair[1], folder, memo), annotated)
        bar = tqdm(spans, total=len(annotated), desc="read headers", unit="clip", mininterval=1.0, disable=None)
        measured = list(zip(annotated, bar, strict=True))
    for (_, clip), span in measured:
        if isinstance(span, LeftOut):
            corpus.left_out.append(span)
            continue
        clip.start_s, clip.end_s = span.start_s, span.end_s
        corpus.num_frames[clip.clip_id] = span.num_frames
        if span.note:
            clip.extra["range_note"] = span.note
        corpus.clips.append(clip)
    cut = sum("already" in clip.extra.get("range_note", "") for clip in corpus.clips)
    early = sum("early" in clip.extra.get("range_note", "") for clip in corpus.clips)
    if cut:
        corpus.notes.append(f"{cut} videos are already cut to their annotated frames and are read whole (range_note).")
    if early:
        corpus.notes.append(f"{early} videos end before their last annotated frame; clips end with them (range_note).")
    if not corpus.clips:
        reasons = [f"{one.clip.clip_id}: {one.detail or one.reason}" for one in corpus.left_out]
        raise DataError(listing(f"{folder}: none of {len(reasons)} clips can be read.", reasons))


def _span(entry: Entry, clip: Clip, folder: Path, memo: Memo) -> Span | LeftOut:
    if not clip.video:
        return LeftOut(clip, "missing video")
    path = folder / clip.video
    key = f"{path} {entry.first} {entry.last}"
    known = memo.get(key, [path])
    if known is not None:
        return Span(*known)
    try:
        probe(path)  # the index knows packets only; this one decodes the first frame
        span = range_to_span(read_frame_index(path), entry.first, entry.last)
        memo.put(key, [path], list(astuple(span)))
        return span
    except OutOfVideo as error:
        wrong = entry.first < 1 or -1 != entry.last < entry.first
        return LeftOut(clip, "bad frame range" if wrong else "range past the end", str(error))
    except DataError as error:
        return LeftOut(clip, "unreadable video", str(error))

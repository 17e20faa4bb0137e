"""FSL-105 as FSLR trains it: one folder a split, each with ``.npz`` files and a labels.csv of its own."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from sign_recog.corpora import fsl105
from sign_recog.corpora.base import Corpus
from sign_recog.errors import DataError
from sign_recog.storage.manifest import SPLITS, Clip


def read(sources: dict[str, str | None], out_dir: Path, **settings: Any) -> Corpus:
    """Read the labels.csv of each split with :func:`sign_recog.corpora.fsl105.read`; a clip is ``<split>/<name>``.

    Args:
        sources: train, val and test -> labels.csv or its folder; None = there is none.
        settings: Those of :func:`sign_recog.corpora.fsl105.read` besides the source.

    Raises:
        DataError: As that function does; or if a split is unknown, has videos, or holds other kinds of arrays.
    """
    unknown = sorted(set(sources) - set(SPLITS))
    if unknown:
        raise DataError(f"data.corpus.sources names {', '.join(unknown)}; the splits are {', '.join(SPLITS)}.")
    parts = {split: fsl105.read(source, out_dir, **settings) for split, source in sources.items() if source is not None}
    if not parts:
        raise DataError("data.corpus.sources names no folder. Give data.corpus.sources.train and .val.")
    with_videos = [split for split, part in parts.items() if part.video_dir is not None]
    if with_videos:
        raise DataError(
            f"data.corpus.sources.{with_videos[0]} holds videos; folders of .npz are read here. Put videos into one "
            "folder and use data=fsl105."
        )
    own: dict[str, tuple[Corpus, Clip]] = {}
    merged = Corpus([])
    for split, part in parts.items():
        for clip in part.clips:
            renamed = replace(clip, clip_id=f"{split}/{clip.clip_id}", split=split)
            own[renamed.clip_id] = (part, replace(clip))
            merged.clips.append(renamed)
        merged.gloss_ids |= part.gloss_ids
        merged.category_ids |= part.category_ids
        merged.notes += [f"{split}: {note}" for note in part.notes]
    for kind in ("keypoints", "features"):
        if all(getattr(part, kind) is not None for part in parts.values()):
            setattr(merged, kind, _Arrays(own, kind))
    if merged.keypoints is None and merged.features is None:
        raise DataError("The folders of data.corpus.sources have neither keypoints (X) nor features (X2048) in common.")
    return merged


class _Arrays:
    """A clip's arrays of one kind, from the folder that it came from."""

    def __init__(self, own: dict[str, tuple[Corpus, Clip]], kind: str):
        self._own, self._kind = own, kind

    def __call__(self, clip: Clip) -> Any:
        part, original = self._own[clip.clip_id]
        sequence = getattr(part, self._kind)(original)
        sequence.meta["clip_id"] = clip.clip_id
        return sequence

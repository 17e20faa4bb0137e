"""Which clips of a split a translator can read, and why it cannot read the others."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sign_recog.data.glosses import GlossReader
from sign_recog.data.readers import Reader, Sequences, clip_path
from sign_recog.errors import DataError
from sign_recog.storage.corpus import GIVEN, PreparedCorpus
from sign_recog.storage.manifest import Clip


@dataclass
class Dropped:
    """Clips of a split that are not read, each with the reason, and how many sequences and sentences were cut."""

    clips: list[tuple[str, str]] = field(default_factory=list)
    cut_sources: int = 0
    cut_targets: int = 0


def first_of(dropped: Dropped) -> str:
    """What a message adds of the first clip that is not read; "" = there is none."""
    return f" (the first: {dropped.clips[0][0]}: {dropped.clips[0][1]})" if dropped.clips else ""


def with_text(clips: Sequence[Clip], dropped: Dropped) -> list[Clip]:
    """The clips that have a sentence; the others are put into ``dropped``."""
    dropped.clips += [(clip.clip_id, "it has no sentence") for clip in clips if not clip.text.strip()]
    return [clip for clip in clips if clip.text.strip()]


def with_input(
    corpus: PreparedCorpus, clips: list[Clip], reader: Reader, extractor: str, drop: bool, dropped: Dropped
) -> list[Clip]:
    """The clips whose input is there; with ``drop`` the others are put into ``dropped``.

    Raises:
        DataError: If there are others, without ``drop``.
    """
    folder = reader.folder(corpus, extractor)
    if folder is not None:
        missing = [clip for clip in clips if not clip_path(folder, clip).exists()]
        reason, remedy = f"{folder} has no file of it", f"Run run={reader.modality.extraction} first"
        if folder.name == GIVEN:
            remedy = "See failed.tsv there, and run run=prepare again once its source is mended"
    elif isinstance(reader, GlossReader):
        missing = reader.readable(clips)[1]
        reason, remedy = "it has no glosses", "Give the manifest's column glosses"
    else:
        return clips
    if missing and not drop:
        named = ", ".join(clip.clip_id for clip in missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise DataError(
            f"{len(missing)} of {len(clips)} clips cannot be read ({named}): {reason}. {remedy}, or leave such clips "
            "out with translation.drop_unreadable=true."
        )
    names = {clip.clip_id for clip in missing}
    dropped.clips += [(clip.clip_id, reason) for clip in missing]
    return [clip for clip in clips if clip.clip_id not in names]


def without_unreadable(
    corpus: PreparedCorpus,
    clips: list[Clip],
    reader: Reader,
    extractor: str,
    dropped: Dropped,
    *,
    train: bool,
    input_dim: int | None,
) -> list[Clip]:
    """The clips without those whose files are damaged, or of another width than ``input_dim``, else than most.

    Files are read one by one only where they cannot be opened together.

    Raises:
        DataError: If none is left.
    """
    folder = reader.folder(corpus, extractor)
    try:
        opened = open_together(corpus, clips, reader, extractor, train)
    except DataError:
        if folder is None:
            raise
    else:
        if folder is None or input_dim is None or opened[0].input_dim == input_dim:
            return clips
    assert folder is not None
    # only features have copies
    copies = range(1, 1 + (getattr(reader.modality, "augmented_copies", 0) if train else 0))
    folders = [folder, *(corpus.augmented_dir(extractor, copy) for copy in copies)]
    widths: dict[str, int] = {}
    for clip in clips:
        try:
            found = [_width(reader, clip_path(one, clip)) for one in folders]
        except DataError as error:
            dropped.clips.append((clip.clip_id, str(error)))
        else:
            widths[clip.clip_id] = next((width for width in found if width != found[0]), found[0])
    wanted = input_dim or (Counter(widths.values()).most_common(1)[0][0] if widths else 0)
    dropped.clips += [
        (name, f"its features have {width} values a frame, and the others {wanted}")
        for name, width in widths.items()
        if width != wanted
    ]
    kept = [clip for clip in clips if widths.get(clip.clip_id) == wanted]
    if not kept:
        raise DataError(f"{folder}: none of {len(clips)} clips can be read{first_of(dropped)}. Extract them again.")
    return kept


def _width(reader: Reader, path: Path) -> int:
    if not path.exists():
        raise DataError(f"{path}: no such file.")
    return int(reader.frames(reader.stored(path), str(path)).shape[1])


def open_together(
    corpus: PreparedCorpus, clips: list[Clip], reader: Reader, extractor: str, train: bool
) -> list[Sequences]:
    """The clips' network inputs; of train several, where there are augmented copies."""
    copies = reader.open_copies(corpus, clips, extractor) if train else []
    return copies or [reader.open(corpus, clips, extractor)]

"""What the corpora of sentences share: split files side by side, and rows whose sentence cannot be used."""

from collections.abc import Sequence
from pathlib import Path

from sign_recog.corpora.annotation import to_split
from sign_recog.corpora.base import LeftOut
from sign_recog.errors import DataError
from sign_recog.storage.manifest import SPLITS, Clip

EMPTY_TEXT = "empty text"


def find_tables(source: str, subfolders: Sequence[str], patterns: Sequence[str], corpus: str) -> dict[str, Path]:
    """Split -> its annotation file.

    Args:
        source: A file, or the folder that ``subfolders`` start from.
        subfolders: Where to look, "." being the folder itself; the first with any file is used.
        patterns: Names of files, ``{split}`` being train, val or dev, or test; the first that any file has is used.
        corpus: What messages call it.

    Raises:
        DataError: Naming what was looked for, if there is none; or if a file's name does not say its split.
    """
    path = Path(source).expanduser().absolute()
    if path.is_file():
        words = path.stem.replace("_", ".").replace("-", ".").split(".")
        named = {to_split(word) for word in words if word.lower() in ("train", "val", "dev", "test")}
        if len(named) != 1:
            raise DataError(
                f"{path}: its name does not say which split it is. Call it ...train..., ...dev... or ...test..."
            )
        return {named.pop(): path}
    folders = [path / name for name in subfolders]
    for folder in folders:
        for pattern in patterns:
            found = {}
            for split, name in (("train", "train"), ("val", "val"), ("val", "dev"), ("test", "test")):
                table = folder / pattern.format(split=name)
                if table.is_file():
                    found[split] = table
            if found:
                return {split: found[split] for split in SPLITS if split in found}
    wanted = ", ".join(pattern.format(split="train") for pattern in patterns)
    raise DataError(
        f"No annotation of {corpus} was found. Looked for {wanted} in: {', '.join(map(str, folders))}. Set data.source "
        "to the folder of the annotation, or to one of its files."
    )


def without_text(clips: Sequence[Clip]) -> tuple[list[Clip], list[LeftOut], list[str]]:
    """The clips that have a sentence, those that have none, and a note on them.

    A sentence without words has nothing to be scored against.
    """
    left_out = [LeftOut(clip, EMPTY_TEXT) for clip in clips if not clip.text]
    kept = [clip for clip in clips if clip.text]
    named = ", ".join(one.clip.clip_id for one in left_out[:3]) + (", ..." if len(left_out) > 3 else "")
    return kept, left_out, [f"{len(left_out)} clips are left out: their text is empty ({named})."] if left_out else []

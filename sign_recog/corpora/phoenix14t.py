"""PHOENIX14T (Camgoz et al. 2018, "Neural Sign Language Translation"): German weather forecasts, glosses and text.

Two forms of the annotation are read, a file a split:

- the corpus's own, ``PHOENIX-2014-T.<train|dev|test>.corpus.csv``: name|video|start|end|speaker|orth|translation;
- ``phoenix14t.<train|dev|test>.tsv``: name, signer, gloss, text, num_frames.

A clip is named ``<train|dev|test>/<name>`` in either. Quotes are plain characters. Glosses become the manifest's column
``glosses``. The corpus comes as folders of pictures, which are not read: without videos it is glosses and text.
"""

from collections.abc import Callable
from pathlib import Path

from sign_recog.corpora.annotation import VIDEO_SUFFIXES, keep_existing, rows_to_clips, to_clip_id, to_folder
from sign_recog.corpora.base import Corpus
from sign_recog.corpora.sentences import find_tables, without_text
from sign_recog.storage.manifest import Clip, read_table
from sign_recog.text.glosses import COLUMN

_FOLDERS = (".", "annotations/manual", "PHOENIX-2014-T/annotations/manual")
_PATTERNS = ("PHOENIX-2014-T.{split}.corpus.csv", "phoenix14t.{split}.tsv")
_FOLDER_OF = {"train": "train", "val": "dev", "test": "test"}


def read(source: str, out_dir: Path, *, video_dir: str | None) -> Corpus:
    """Read the annotation. Clips without text are left out; those without glosses stay. ``out_dir`` is unused.

    Args:
        source: The folder of the annotation or of the corpus, or one split's file.
        video_dir: Folder of videos made of the pictures, ``<train|dev|test>/<name>.mp4`` or ``<name>.mp4``; None =
            glosses and text only.

    Raises:
        DataError: If there is no annotation, rows are wrong (all are named), or none of the videos is there.
    """
    folder = None if video_dir is None else to_folder(video_dir)
    clips: list[Clip] = []
    tables = find_tables(source, _FOLDERS, _PATTERNS, "PHOENIX14T")
    for split, path in tables.items():
        original = path.suffix == ".csv"
        names = ("name", "speaker", "orth", "translation") if original else ("name", "signer", "gloss", "text")
        rows = read_table(path, required=names, delimiter="|" if original else "\t", quotes=False)
        clips += rows_to_clips(path, rows, _maker(split, names, folder))
    clips, left_out, notes = without_text(clips)
    wordless = [clip.clip_id for clip in clips if not clip.extra[COLUMN]]
    if wordless:
        notes.append(f"{len(wordless)} clips have no glosses ({wordless[0]}, ...): modality=gloss cannot read them.")
    if folder is None:
        return Corpus(
            clips, notes=[*notes, "Without data.video_dir there are glosses and text only."], left_out=left_out
        )
    clips, missing, more = keep_existing(next(iter(tables.values())), clips, folder, remedy=_REMEDY)
    return Corpus(clips, folder, notes=notes + more, left_out=left_out + missing)


def _maker(split: str, names: tuple[str, str, str, str], folder: Path | None) -> Callable[[dict[str, str]], Clip]:
    """One row -> one clip."""

    def make(row: dict[str, str]) -> Clip:
        name, signer, glosses, text = (row[column] for column in names)
        if not name:
            raise ValueError(f"the {names[0]} is empty.")
        name = name.removeprefix(f"{_FOLDER_OF[split]}/")
        extra = {COLUMN: " ".join(glosses.split())}
        if row.get("num_frames"):
            extra["num_frames"] = row["num_frames"]
        clip_id = to_clip_id(f"{_FOLDER_OF[split]}/{name}")
        video = "" if folder is None else _video(folder, _FOLDER_OF[split], name)
        return Clip(clip_id, video, split=split, signer=signer, text=" ".join(text.split()), extra=extra)

    return make


def _video(folder: Path, split: str, name: str) -> str:
    """Where a clip's video is, or where it should be."""
    candidates = [f"{place}{name}{suffix}" for place in (f"{split}/", "") for suffix in VIDEO_SUFFIXES]
    return next((one for one in candidates if (folder / one).is_file()), f"{split}/{name}.mp4")


_REMEDY = (
    "Make videos of the folders of pictures first, for example: "
    "ffmpeg -framerate 25 -i dev/NAME/images%04d.png -crf 18 videos/dev/NAME.mp4"
)

"""A prepared corpus: the folder that ``run=prepare`` makes and every other stage reads."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sign_recog.errors import DataError
from sign_recog.storage.manifest import Clip, inside, read_manifest


@dataclass(frozen=True)
class PreparedCorpus:
    """Where everything of a prepared corpus lies.

    Attributes:
        clips: The manifest's rows.
        video_dir: What ``Clip.video`` is relative to; None = the corpus came without videos.
        info: What ``run=prepare`` wrote into corpus.json: settings, counts, warnings.
    """

    folder: Path
    clips: list[Clip]
    video_dir: Path | None
    info: dict[str, Any]

    def of_split(self, split: str) -> list[Clip]:
        return [clip for clip in self.clips if clip.split == split]

    def keypoints_dir(self, extractor: str) -> Path:
        return self.folder / "keypoints" / extractor

    def video_path(self, clip: Clip) -> Path:
        """Where a clip's video is; it cannot lie outside ``video_dir``."""
        if self.video_dir is None:
            raise DataError(f"{self.folder.name} came without videos, so clip {clip.clip_id} has none.")
        return inside(self.video_dir, clip.video)


def corpus_info_path(folder: Path) -> Path:
    """The file whose presence says that a corpus is prepared."""
    return folder / "corpus.json"


def open_corpus(folder: Path) -> PreparedCorpus:
    """Open what ``run=prepare`` made.

    Raises:
        DataError: If it has not been made, or is damaged.
    """
    path = corpus_info_path(folder)
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        video_dir = None if info["video_dir"] is None else Path(info["video_dir"])
    except FileNotFoundError as error:
        raise DataError(f"{folder}: is no prepared corpus. Run the same command with run=prepare first.") from error
    except (json.JSONDecodeError, KeyError) as error:
        raise DataError(f"{path}: is damaged ({error}). Delete it and run run=prepare again.") from error
    return PreparedCorpus(folder, read_manifest(folder / "manifest.tsv"), video_dir, info)

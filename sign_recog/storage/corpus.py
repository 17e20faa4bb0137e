"""A prepared corpus: what ``run=prepare`` makes and every other stage reads.

``<paths.data_root>/<data.name>/`` holds a corpus's keypoints, features and caches, and below ``manifests/`` one folder
for each setting of the group ``data`` (which glosses, which split): its manifest and corpus.json. So folds and subsets
share what was extracted, and none meets another's split.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sign_recog.config.identity import digest
from sign_recog.errors import DataError
from sign_recog.storage.manifest import Clip, inside, read_manifest

GIVEN = "given"  # in place of an extractor's name, where the files came with the corpus


@dataclass(frozen=True)
class PreparedCorpus:
    """Where everything of a prepared corpus lies.

    Attributes:
        folder: Of its manifest and corpus.json.
        clips: The manifest's rows.
        video_dir: What ``Clip.video`` is relative to; None = the corpus came without videos.
        info: What ``run=prepare`` wrote into corpus.json: settings, counts, warnings, and ``given``: which kinds of
            files (keypoints, features) came with the corpus; ``frames``: how many labelled frames it has, if any.
    """

    folder: Path
    clips: list[Clip]
    video_dir: Path | None
    info: dict[str, Any]

    @property
    def root(self) -> Path:
        """The corpus's own folder, which all its manifests share."""
        return self.folder.parents[1]

    def of_split(self, split: str) -> list[Clip]:
        return [clip for clip in self.clips if clip.split == split]

    def keypoints_dir(self, extractor: str) -> Path:
        """Where ``<clip_id>.npz`` of ``extractor`` lie, or those that came with the corpus."""
        return self._dir("keypoints", extractor)

    def features_dir(self, extractor: str) -> Path:
        """As :meth:`keypoints_dir`."""
        return self._dir("features", extractor)

    def augmented_dir(self, extractor: str, copy: int) -> Path:
        """Where ``<clip_id>.npz`` of an augmented copy of the train clips lie; copies count from 1."""
        name = GIVEN if "features" in self.info["given"] else extractor
        return self.root / "features_augmented" / name / str(copy)

    def _dir(self, kind: str, extractor: str) -> Path:
        return self.root / kind / (GIVEN if kind in self.info["given"] else extractor)

    def video_path(self, clip: Clip) -> Path:
        """Where a clip's video is; it cannot lie outside ``video_dir``."""
        if self.video_dir is None:
            raise DataError(f"{self.root.name} came without videos, so clip {clip.clip_id} has none.")
        return inside(self.video_dir, clip.video)


def manifest_dir(root: Path, settings: dict[str, Any]) -> Path:
    """The folder of the manifest that the plain settings of the group ``data`` give."""
    return root / "manifests" / digest(settings)


def corpus_info_path(folder: Path) -> Path:
    """The file whose presence says that a corpus is prepared."""
    return folder / "corpus.json"


def open_corpus(folder: Path) -> PreparedCorpus:
    """Open what ``run=prepare`` made in ``folder``, which holds corpus.json.

    Raises:
        DataError: If it has not been made, or is damaged.
    """
    path = corpus_info_path(folder)
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        video_dir = None if info["video_dir"] is None else Path(info["video_dir"])
        if "given" not in info:
            raise KeyError("given")
    except FileNotFoundError as error:
        raise DataError(
            f"{folder}: holds no prepared corpus. Run the same command with run=prepare first; every setting of the "
            "group data has a manifest of its own."
        ) from error
    except (json.JSONDecodeError, KeyError) as error:
        raise DataError(f"{path}: is damaged ({error}). Delete it and run run=prepare again.") from error
    frames_alone = "frames" in info and not any(row["clips"] for row in info["splits"].values())
    clips = [] if frames_alone else read_manifest(folder / "manifest.tsv")
    return PreparedCorpus(folder, clips, video_dir, info)

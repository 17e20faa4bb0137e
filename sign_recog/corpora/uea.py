"""A data set of the UEA archive: ``<name>_TRAIN.ts`` and ``<name>_TEST.ts``, multivariate series as features.

https://www.timeseriesclassification.com. Test stays as the archive gives it; val is taken out of train.
"""

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sign_recog.corpora.annotation import to_clip_id, to_folder
from sign_recog.corpora.base import Corpus
from sign_recog.errors import ConfigError, DataError
from sign_recog.formats import uea
from sign_recog.formats.base import frame_times
from sign_recog.storage.features import FeatureSequence
from sign_recog.storage.fingerprint import fingerprint
from sign_recog.storage.manifest import Clip


def read(
    source: str,
    out_dir: Path,
    *,
    fps: float,
    val_share: float,
    seed: int,
    class_names: Mapping[str, str] | None = None,
) -> Corpus:
    """Read the folder of the two files. ``out_dir`` is unused; nothing is written.

    Args:
        fps: Time steps a second; the files hold no times.
        val_share: Of train's clips, in each class; 0 = no val. The same seed gives the same clips.
        class_names: Class in the files -> gloss; None = the classes are the glosses.

    Raises:
        DataError: If not exactly one file of each is there, they are no ``.ts`` files, or do not fit together.
        ConfigError: If a setting is out of range, or ``class_names`` names other classes.
    """
    if not 0 <= val_share < 1 or fps <= 0:
        raise ConfigError(f"data.corpus: val_share={val_share:g} must lie in [0, 1) and fps={fps:g} above 0.")
    folder = to_folder(source)
    paths = {split: _only_file(folder, f"_{split.upper()}.ts") for split in ("train", "test")}
    cases = {split: uea.read(path) for split, path in paths.items()}
    widths = {split: found.values[0].shape[1] for split, found in cases.items()}
    if len(set(widths.values())) > 1:
        raise DataError(f"{folder}: train has {widths['train']} dimensions and test {widths['test']}. Get both again.")
    names = _names({label for found in cases.values() for label in found.classes}, class_names or {})
    clips, series = [], {}
    for split, found in cases.items():
        for i, (values, label) in enumerate(zip(found.values, found.labels, strict=True)):
            clip = Clip(to_clip_id(f"{split}_{i:05d}_{label}"), split=split, gloss=names[label], extra={"class": label})
            clips.append(clip)
            series[clip.clip_id] = values
    for clip in _share(clips, val_share, seed):
        clip.split = "val"
    prints = {split: f"{path.name} {fingerprint(path)}" for split, path in paths.items()}
    notes = [f"The files hold no times: {fps:g} steps a second are assumed."]
    ids = {label: name for label, name in names.items() if label != name}
    return Corpus(clips, features=_Series(series, prints, fps), gloss_ids=ids, notes=notes)


@dataclass(frozen=True)
class _Series:
    """A clip's series, one feature vector a time step."""

    values: dict[str, np.ndarray]  # clip_id -> (T, D)
    sources: dict[str, str]  # of train and test
    fps: float

    def __call__(self, clip: Clip) -> FeatureSequence:
        values = self.values[clip.clip_id]
        source = self.sources["test" if clip.clip_id.startswith("test_") else "train"]
        meta = {"clip_id": clip.clip_id, "extractor": "given", "source": source, "window": 1, "stride": 1}
        return FeatureSequence(values, frame_times(len(values), self.fps), {**meta, "fps": self.fps})


def _only_file(folder: Path, ending: str) -> Path:
    found = sorted(path for path in folder.iterdir() if path.name.lower().endswith(ending.lower()))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DataError(f"{folder}: needs exactly one file <name>{ending}; there is {names}.")
    return found[0]


def _names(classes: set[str], class_names: Mapping[str, str]) -> dict[str, str]:
    names = {str(label): str(name) for label, name in class_names.items()}
    if not names:
        return {label: label for label in classes}
    if set(names) != classes or len(set(names.values())) < len(names):
        raise ConfigError(
            f"data.corpus.class_names must give each of the classes {', '.join(sorted(classes))} a name of its own; it "
            f"has {names}."
        )
    return names


def _share(clips: list[Clip], share: float, seed: int) -> list[Clip]:
    """``share`` of the training clips of every class, rounded."""
    by_class = defaultdict(list)
    for clip in clips:
        if clip.split == "train":
            by_class[clip.gloss].append(clip)
    rng = random.Random(seed)
    chosen = []
    for gloss in sorted(by_class):
        own = sorted(by_class[gloss], key=lambda _: rng.random())
        chosen += own[: min(round(share * len(own)), len(own) - 1)]
    return chosen

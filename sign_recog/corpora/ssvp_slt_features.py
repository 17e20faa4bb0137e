"""Features in several of SSVP-SLT's folders: all of them to train on, one to validate and one to test on.

Each folder is as :mod:`sign_recog.corpora.ssvp_slt` says. Of a training folder only ``manifests/train_features.tsv`` is
read, so that what it calls val or test is never seen.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path

from sign_recog.corpora.base import Corpus
from sign_recog.corpora.ssvp_slt import Kind, Tensors, check_times, read_features, times_note
from sign_recog.errors import ConfigError, DataError
from sign_recog.formats.ssvp_slt import manifest_name, read_shape
from sign_recog.storage.features import FeatureSequence
from sign_recog.storage.manifest import SPLITS, Clip, listing

FOLDER_COLUMN = "feature_dir"  # of the manifest: which folder a clip is from
_LOOKED_AT = 5  # files of each folder, to know its width


def read(
    out_dir: Path,
    *,
    train_dirs: Sequence[str],
    val_dir: str,
    test_dir: str | None,
    token_ms: float,
    window_tokens: int,
    window_ms: float,
) -> Corpus:
    """Read the folders as one corpus. A clip is named by its video, without suffix; ``out_dir`` is unused.

    Args:
        train_dirs: Folders with a train manifest.
        val_dir: The folder of the val manifest; it may be one of ``train_dirs``.
        test_dir: The folder of the test manifest; None = ``val_dir``, where it has one.
        token_ms, window_tokens, window_ms: As :func:`sign_recog.corpora.ssvp_slt.read`.

    Raises:
        ConfigError: If a folder is named twice, or a number is not above 0.
        DataError: If a folder or its manifest is not there, rows are wrong, a clip stands in two folders, or folders
            hold features of different widths.
    """
    check_times(token_ms, window_tokens, window_ms)
    parts: dict[Path, dict[str, Path]] = defaultdict(dict)
    for given in train_dirs:
        path = _manifest(given, "train", "data.train_dirs")
        if "train" in parts[path.parents[1]]:
            raise ConfigError(f"data.train_dirs names {path.parents[1]} more than once. Leave the others out.")
        parts[path.parents[1]]["train"] = path
    for split, where, key in (("val", val_dir, "data.val_dir"), ("test", test_dir, "data.test_dir")):
        if where is not None:
            path = _manifest(where, split, key)
            parts[path.parents[1]][split] = path
    notes = []
    if test_dir is None:
        folder = _folder(val_dir, "data.val_dir")
        if (folder / manifest_name("test")).is_file():
            parts[folder]["test"] = folder / manifest_name("test")
        else:
            notes.append(
                f"{folder} has no {manifest_name('test')}, so there is no test split. Give data.test_dir, or evaluate "
                "with run.split=val."
            )
    read_one = {
        folder: read_features(
            folder, {split: paths[split] for split in SPLITS if split in paths},
            token_ms=token_ms, window_tokens=window_tokens, window_ms=window_ms,
        )
        for folder, paths in parts.items()
    }  # fmt: skip
    _refuse_shared_clips(read_one)
    _refuse_other_widths(read_one)
    return _together(read_one, [*notes, times_note(token_ms, window_ms)])


def _folder(given: str, key: str) -> Path:
    folder = Path(given).expanduser().resolve()
    if not folder.is_dir():
        raise DataError(f"{key}={given}: no such folder. Give the folder of manifests/ and features/.")
    return folder


def _manifest(given: str, split: str, key: str) -> Path:
    folder = _folder(given, key)
    path = folder / Kind.features.manifest(split)
    if not path.is_file():
        held = sorted(one.name for one in (folder / "manifests").glob("*")) or ["nothing"]
        raise DataError(
            f"{key}={given}: has no {manifest_name(split)}; manifests/ holds {', '.join(held[:5])}. Give another "
            "folder, or write the table: video_name, length, sentence, separated by tabs."
        )
    return path


def _refuse_shared_clips(corpora: Mapping[Path, Corpus]) -> None:
    places = defaultdict(list)
    for folder, corpus in corpora.items():
        for clip in corpus.clips:
            places[clip.clip_id].append(f"{clip.split} of {folder}")
    twice = [f"{clip_id}: {' and '.join(own)}" for clip_id, own in sorted(places.items()) if len(own) > 1]
    if twice:
        head = (
            f"{len(twice)} clips stand in more than one folder. Remove each from one folder's manifest, or rename it."
        )
        raise DataError(listing(head, twice))


def _refuse_other_widths(corpora: Mapping[Path, Corpus]) -> None:
    """Look at some files of each folder; a single odd file is the training's to refuse or to leave out."""
    widths = {folder: found for folder, corpus in corpora.items() if (found := _width(corpus)) is not None}
    if len(set(widths.values())) > 1:
        listed = "; ".join(f"{folder}: {width}" for folder, width in widths.items())
        raise DataError(
            f"The folders' features have different numbers of values a token ({listed}), so no network can read them "
            "all. Give folders of features of the same network."
        )


def _width(corpus: Corpus) -> int | None:
    """What most of the first files have; None = none of them can be read."""
    tensors, found = corpus.features, Counter[int]()
    assert isinstance(tensors, Tensors)
    for clip in corpus.clips:
        try:
            shape = read_shape(tensors.path(clip))
        except DataError:  # run=prepare lists it
            continue
        found[shape[-1] if shape else 1] += 1
        if found.total() == _LOOKED_AT:
            break
    return found.most_common(1)[0][0] if found else None


def _together(corpora: Mapping[Path, Corpus], notes: list[str]) -> Corpus:
    of_clip = {clip.clip_id: corpus for corpus in corpora.values() for clip in corpus.clips}
    trained = [corpus for corpus in corpora.values() if any(clip.split == "train" for clip in corpus.clips)]
    copies = [set(corpus.augmented) for corpus in trained]
    shared = set.intersection(*copies) if copies else set()
    if partly := sorted(set().union(*copies) - shared):
        notes.append(
            f"Augmented copies {', '.join(map(str, partly))} are not in every folder of data.train_dirs, so they are "
            "not taken over."
        )

    def plain(clip: Clip) -> FeatureSequence:
        load = of_clip[clip.clip_id].features
        assert load is not None
        return load(clip)

    def augmented(copy: int) -> Callable[[Clip], FeatureSequence]:
        return lambda clip: of_clip[clip.clip_id].augmented[copy](clip)

    for folder, corpus in corpora.items():
        for clip in corpus.clips:
            clip.extra[FOLDER_COLUMN] = str(folder)
        notes += corpus.notes
    return Corpus(
        list(chain.from_iterable(corpus.clips for corpus in corpora.values())),
        features=plain,
        augmented={copy: augmented(copy) for copy in sorted(shared)},
        notes=notes,
        left_out=list(chain.from_iterable(corpus.left_out or [] for corpus in corpora.values())),
        noticed=lambda: [f"{folder}: {line}" for folder, corpus in corpora.items() for line in corpus.noticed()],
    )

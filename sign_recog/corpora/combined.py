"""Several prepared corpora as one: other signers, other languages.

Each member is read as ``run=prepare`` and the extraction left it. Its name goes before everything that only means
something within it: clips, signers, and, unless labels are shared, glosses and categories.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from sign_recog.corpora.base import Corpus
from sign_recog.errors import ConfigError, DataError
from sign_recog.storage.corpus import GIVEN, PreparedCorpus, corpus_info_path, open_corpus
from sign_recog.storage.features import FeatureSequence, read_features
from sign_recog.storage.manifest import Clip, check_clip_id
from sign_recog.storage.sequences import KeypointSequence, read_keypoints, read_meta

_Sequence = TypeVar("_Sequence", KeypointSequence, FeatureSequence)
KINDS = ("keypoints", "features")


@dataclass(frozen=True)
class _Member:
    """A prepared corpus, and where its files of each kind lie; a kind that it does not have is missing."""

    corpus: PreparedCorpus
    folders: dict[str, Path]

    def copies(self) -> dict[int, Path]:
        """Augmented copies of the features, by their numbers."""
        if "features" not in self.folders:
            return {}
        found = self.corpus.augmented_dir(self.folders["features"].name, 1).parent.glob("[1-9]*")
        return {int(path.name): path for path in found if path.name.isdecimal()}


def read(
    out_dir: Path,
    *,
    members: Mapping[str, str],
    languages: Mapping[str, str] | None,
    shared_labels: bool,
    extractor: str | None,
) -> Corpus:
    """Combine ``members``; a kind of files that every member has is offered, clips without it are left out.

    Clips keep their splits. Augmented copies of features are offered too where every member has them.

    Args:
        out_dir: Unused; nothing is written.
        members: Name -> a folder with corpus.json, as run=prepare prints it, or a corpus's own folder that holds one
            manifest only.
        languages: Member -> what the column ``language`` calls its sign language; members may share one. None = each
            has its own, the member's name.
        shared_labels: Whether glosses, and categories, of the same name are the same in all members.
        extractor: Whose files to take where a member has several extractors'; None = the only one.

    Raises:
        ConfigError: If a name cannot be part of a clip's, there are fewer than two members, or a member has no
            language.
        DataError: If a member is not prepared, has several manifests or extractors, or nothing in common with the
            others: no kind of files, another landmark layout, features of another size.
    """
    if len(members) < 2:
        raise ConfigError(
            f"data.corpus.members names {len(members)} corpora; give at least two: "
            "'data.corpus.members={ngt: data/ngt, vgt: data/vgt}'."
        )
    language_of = _languages(members, languages)
    opened = {name: _open(name, Path(folder), extractor) for name, folder in members.items()}
    kinds = [kind for kind in KINDS if all(kind in member.folders for member in opened.values())]
    if not kinds:
        listed = "; ".join(f"{name} has {' and '.join(member.folders) or 'none'}" for name, member in opened.items())
        raise DataError(f"The members share neither keypoints nor features: {listed}. Extract the same from each.")
    clips, notes, places = list[Clip](), list[str](), dict[str, tuple[str, Clip]]()
    for name, member in opened.items():
        own = member.corpus.clips
        there = [c for c in own if all((member.folders[kind] / f"{c.clip_id}.npz").exists() for kind in kinds)]
        if not there:
            raise DataError(f"{member.folders[kinds[0]]}: holds nothing of the {len(own)} clips of {name}. Extract it.")
        if len(there) < len(own):
            notes.append(
                f"{len(own) - len(there)} of {len(own)} clips of {name} have no {' or '.join(kinds)}: left out."
            )
        for clip in there:
            named = _named(name, clip, language_of[name], shared_labels)
            clips.append(named)
            places[named.clip_id] = (name, clip)
    _refuse_different_files(opened, kinds, places)
    notes += _extraction_notes(opened, kinds)
    folders = {kind: {name: member.folders[kind] for name, member in opened.items()} for kind in kinds}
    copies = {name: member.copies() for name, member in opened.items()}
    shared = set.intersection(*map(set, copies.values())) if "features" in kinds else set()
    return Corpus(
        clips,
        keypoints=_reader(folders["keypoints"], places, read_keypoints) if "keypoints" in kinds else None,
        features=_reader(folders["features"], places, read_features) if "features" in kinds else None,
        augmented={
            copy: _reader({name: own[copy] for name, own in copies.items()}, places, read_features)
            for copy in sorted(shared)
        },
        notes=notes,
    )


def _languages(members: Mapping[str, str], given: Mapping[str, str] | None) -> dict[str, str]:
    """Member -> its language."""
    if given is None:
        return {name: name for name in members}
    lacking = [name for name in members if not str(given.get(name) or "").strip()]
    unknown = [name for name in given if name not in members]
    if lacking or unknown:
        found = [f"has no language for {', '.join(lacking)}"] if lacking else []
        found += [f"names {', '.join(unknown)}, which is no member"] if unknown else []
        raise ConfigError(
            f"data.corpus.languages {' and '.join(found)}. Give each of {', '.join(members)} one, or null for the "
            "members' own names."
        )
    return {name: str(given[name]) for name in members}


def _named(member: str, clip: Clip, language: str, shared_labels: bool) -> Clip:
    labels = (
        {} if shared_labels else {"gloss": _prefixed(member, clip.gloss), "category": _prefixed(member, clip.category)}
    )
    return replace(
        clip,
        clip_id=f"{member}/{clip.clip_id}",
        video="",
        start_s=0.0,
        end_s=None,
        signer=_prefixed(member, clip.signer),
        extra={**clip.extra, "language": language},
        **labels,
    )


def _prefixed(member: str, name: str) -> str:
    return f"{member}:{name}" if name else ""


def _open(name: str, folder: Path, extractor: str | None) -> _Member:
    try:
        check_clip_id(name)
    except ValueError as error:
        raise ConfigError(f"data.corpus.members: {name!r} becomes part of every clip_id. {error}") from error
    corpus = open_corpus(_manifest_folder(name, folder.expanduser()))
    folders = {kind: found for kind in KINDS if (found := _files(name, corpus, kind, extractor)) is not None}
    return _Member(corpus, folders)


def _manifest_folder(name: str, folder: Path) -> Path:
    """The folder of corpus.json: ``folder`` itself, or the only one below its manifests/."""
    if corpus_info_path(folder).exists():
        return folder
    found = sorted(path.parent for path in (folder / "manifests").glob(f"*/{corpus_info_path(folder).name}"))
    if len(found) > 1:
        listed = "; ".join(f"{path} ({_described(path)})" for path in found)
        raise DataError(f"{folder}: has {len(found)} manifests, so data.corpus.members.{name} must name one: {listed}.")
    return found[0] if found else folder  # opening a folder without corpus.json says what to do


def _described(folder: Path) -> str:
    info = json.loads(corpus_info_path(folder).read_text(encoding="utf-8"))
    clips = ", ".join(f"{row['clips']} {split}" for split, row in info["splits"].items())
    return f"split {info['settings']['split']['strategy']}, clips {clips}"


def _files(name: str, corpus: PreparedCorpus, kind: str, extractor: str | None) -> Path | None:
    """The folder of a member's files of ``kind``; None = it has none."""
    if kind in corpus.info["given"]:
        return corpus.root / kind / GIVEN
    found = sorted(path.name for path in (corpus.root / kind).glob("*") if path.is_dir())
    if extractor in found:
        return corpus.root / kind / extractor
    if extractor is None and len(found) > 1:
        raise DataError(
            f"{corpus.root / kind}: holds the files of {', '.join(found)}. Say whose to take from {name}: "
            f"data.corpus.extractor={found[0]}."
        )
    return corpus.root / kind / found[0] if extractor is None and found else None


def _refuse_different_files(opened: dict[str, _Member], kinds: list[str], places: dict[str, tuple[str, Clip]]) -> None:
    """Look at one file of each member; the others are checked when they are read."""
    first: dict[str, Clip] = {}
    for name, clip in places.values():
        first.setdefault(name, clip)
    for kind, what in (("keypoints", "layout"), ("features", "size")):
        by_value = defaultdict(list)
        for name, clip in first.items() if kind in kinds else ():
            path = opened[name].folders[kind] / f"{clip.clip_id}.npz"
            value = read_meta(path).get("layout") if kind == "keypoints" else read_features(path).features.shape[1]
            by_value[value].append(name)
        if len(by_value) > 1:
            listed = "; ".join(f"{', '.join(names)}: {value}" for value, names in by_value.items())
            raise DataError(
                f"The members' {kind} have different {what}s ({listed}), so no network can read them all. Extract them "
                "with the same extractor and settings."
            )


def _extraction_notes(opened: dict[str, _Member], kinds: list[str]) -> list[str]:
    notes = []
    for kind in kinds:
        ways = {name: _extraction(member.folders[kind]) for name, member in opened.items()}
        if len({json.dumps(way, sort_keys=True) for way in ways.values()}) > 1:
            listed = ", ".join(
                f"{name} by {(way or {}).get('extractor', 'its own makers')}" for name, way in ways.items()
            )
            notes.append(
                f"The members' {kind} were made in different ways ({listed}); a network may tell them apart by it."
            )
    return notes


def _extraction(folder: Path) -> dict[str, Any] | None:
    path = folder / "extraction.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _reader(
    folders: dict[str, Path],
    places: dict[str, tuple[str, Clip]],
    read_file: Callable[[Path], _Sequence],
) -> Callable[[Clip], _Sequence]:
    def read_clip(clip: Clip) -> _Sequence:
        name, own = places[clip.clip_id]
        sequence = read_file(folders[name] / f"{own.clip_id}.npz")
        meta = {key: value for key, value in sequence.meta.items() if key != "layout"}
        return replace(sequence, meta={**meta, "clip_id": clip.clip_id})

    return read_clip

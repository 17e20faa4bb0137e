"""Where WLASL's annotation and videos lie: the places that downloads of it have in common."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sign_recog.corpora.annotation import VIDEO_SUFFIXES, to_folder
from sign_recog.corpora.wlasl.annotation import load_json
from sign_recog.errors import DataError

CLASS_LIST = "wlasl_class_list.txt"
SUBSETS = (100, 300, 1000, 2000)


@dataclass(frozen=True)
class Found:
    """The annotation files of one corpus; None = there is none.

    Attributes:
        nslt: Path and content of ``nslt_<N>.json``, of this subset or a larger one, which contains it.
        listed: Path and content of ``asl<N>.json`` or ``WLASL_v0.3.json``.
        class_list: Path of the glosses' names.
    """

    nslt: tuple[Path, Any] | None
    listed: tuple[Path, Any] | None
    class_list: Path | None


def find_annotation(source: str | None, video_dir: Path, subset: int) -> Found:
    """Find the annotation of a subset: in ``source``, a file or folder, or else around the videos.

    Raises:
        DataError: Naming every place that was looked at, if there is none.
    """
    given: Path | None = None
    if source is None:
        folders = [video_dir, video_dir / "splits", video_dir.parent, video_dir.parent / "splits"]
    else:
        path = Path(source).expanduser().absolute()
        given = path if path.is_file() else None
        folders = [path.parent] if given else [to_folder(path), path / "splits"]
    larger = [n for n in SUBSETS if n > subset]
    nslt = _first(folders, [f"nslt_{n}.json" for n in (subset, *larger)])
    listed = _first(folders, [f"asl{subset}.json", "WLASL_v0.3.json"])
    class_list = _first(folders, [CLASS_LIST])
    loaded_nslt, loaded_listed = (None if p is None or given else (p, load_json(p)) for p in (nslt, listed))
    if given:  # its content says which form it has; what lies beside it may add names and boxes
        content = load_json(given)
        if isinstance(content, dict):
            loaded_nslt, loaded_listed = (given, content), None if listed is None else (listed, load_json(listed))
        else:
            loaded_nslt, loaded_listed = None, (given, content)
    if loaded_nslt is None and loaded_listed is None:
        names = f"nslt_{subset}.json, asl{subset}.json or WLASL_v0.3.json"
        raise DataError(
            f"No annotation of WLASL{subset} was found. Looked for {names} in: {', '.join(map(str, folders))}. "
            "Put one there, or set data.source to the file or its folder."
        )
    return Found(loaded_nslt, loaded_listed, class_list)


def find_videos(video_dir: Path) -> dict[str, str]:
    """Return stem -> path relative to ``video_dir`` of every video in it and in its subfolder ``videos``.

    Of several with one stem, an .mp4 and the one in ``video_dir`` itself win.
    """
    found: dict[str, str] = {}
    for folder in (video_dir, video_dir / "videos"):
        if not folder.is_dir():
            continue
        paths = sorted(folder.iterdir(), key=lambda path: (path.suffix.lower() != ".mp4", path.name))
        for path in paths:
            if path.suffix.lower() in VIDEO_SUFFIXES:
                found.setdefault(path.stem, path.relative_to(video_dir).as_posix())
    return found


def _first(folders: list[Path], names: list[str]) -> Path | None:
    """The first of ``names`` that is in any of ``folders``, in the folders' order."""
    return next((path for name in names for folder in folders if (path := folder / name).is_file()), None)

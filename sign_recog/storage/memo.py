"""What was found out about files, so that thousands of them are not opened again while they stay the same."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sign_recog.storage import atomic


class Memo:
    """Key -> a JSON value, believed as long as the files it is about keep their sizes and times of change.

    The file at ``path`` may be deleted at any time, and one that is damaged counts as empty. Reading is safe in
    threads; of several processes that save, the last one's entries stay.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: dict[str, tuple[list[list[int]], Any]] = {}
        self._changed = False
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            self._entries = {key: (stamps, value) for key, (stamps, value) in stored.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            self._entries = {}

    def get(self, key: str, files: Sequence[Path]) -> Any:
        """The value of ``key``; None if there is none, or a file has changed since, or is gone."""
        stamps, value = self._entries.get(key, (None, None))
        try:
            return value if stamps is not None and stamps == _stamps(files) else None
        except OSError:
            return None

    def put(self, key: str, files: Sequence[Path], value: Any) -> None:
        """Remember ``value``, which is not None."""
        self._entries[key] = (_stamps(files), value)
        self._changed = True

    def save(self) -> None:
        """Write what is new."""
        if self._changed:
            text = ",\n".join(f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in self._entries.items())
            atomic.write_text(self.path, f"{{\n{text}\n}}\n")
            self._changed = False


def _stamps(files: Sequence[Path]) -> list[list[int]]:
    return [[stat.st_size, stat.st_mtime_ns] for stat in (path.stat() for path in files)]

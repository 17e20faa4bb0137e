"""Which worker is at which clip, where any number of them share a folder, start late and die.

A claim is a file that only one worker can create (O_CREAT | O_EXCL), and that says whose it is. Who finds a clip
claimed by a dead worker W creates the successor of W's claim, ``<clip>~W``, which again only one can. Since no
worker's name is ever used twice, a successor that came too late stands behind no claim, and counts for nothing: there
is no moment at which two workers hold one clip. That needs neither locks nor a rename onto what may be another's.
"""

import contextlib
import hashlib
import json
import os
import threading
from pathlib import Path

from sign_recog.storage.ledger import FOLDER, STALE_S, Ledger, Ledgers

CLAIMS = "claims"  # folder below FOLDER


class Claims:
    """The claims of a folder, as ``ledger``'s worker sees and makes them; for several threads."""

    def __init__(self, folder: Path, ledgers: Ledgers, ledger: Ledger) -> None:
        self.folder = folder / FOLDER / CLAIMS
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ledgers, self._ledger = ledgers, ledger
        self._held: dict[str, list[Path]] = {}  # clip_id -> its chain of claims, the last one ours
        self._lock = threading.Lock()

    @property
    def held(self) -> list[str]:
        """The clips that this worker holds."""
        return list(self._held)

    def take(self, clip_id: str) -> str | None:
        """Claim a clip: None = it is ours now; else the living worker that holds it ("" = it does not say yet).

        Raises:
            OSError: If the disk is full.
        """
        with self._lock:
            chain, owner = self._chain(clip_id)
            if chain and (owner == self._ledger.worker.name or not self._is_dead(chain[-1], owner)):
                return owner
            path = self._first(clip_id) if not chain else _successor(chain[0], owner or chain[-1].name)
            if not self._create(path, clip_id):
                return ""
            if self._chain(clip_id) != ([*chain, path], self._ledger.worker.name):  # came too late
                path.unlink(missing_ok=True)
                return ""
            self._held[clip_id] = [*chain, path]
            return None

    def takes_over(self, clip_id: str) -> bool:
        """Whether a clip that is held was a dead worker's, who may have left a half-written file."""
        return len(self._held[clip_id]) > 1

    def forget_lost(self, clip_id: str) -> bool:
        """Whether a clip that is held has been taken over, after silence for STALE_S; then it is held no longer."""
        with self._lock:
            lost = self._chain(clip_id) != (self._held[clip_id], self._ledger.worker.name)
            if lost:
                del self._held[clip_id]
        return lost

    def release(self, clip_id: str) -> None:
        """Give a clip back, when the ledger says what became of it; first the claim in front, so none stays valid."""
        with self._lock:
            for path in self._held.pop(clip_id, []):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def holder(self, clip_id: str) -> str | None:
        """The living worker that holds a clip; None = it can be taken."""
        chain, owner = self._chain(clip_id)
        return None if not chain or self._is_dead(chain[-1], owner) else owner

    def _first(self, clip_id: str) -> Path:
        return self.folder / hashlib.blake2b(clip_id.encode(), digest_size=16).hexdigest()  # of any clip_id, short

    def _chain(self, clip_id: str) -> tuple[list[Path], str]:
        """The claims on a clip, each the successor of the one before it, and the last one's worker."""
        first = path = self._first(clip_id)
        chain, owner = list[Path](), ""
        while (said := _read(path)) is not None:
            chain.append(path)
            owner = said.get("worker", "")
            path = _successor(first, owner or path.name)
        return chain, owner

    def _is_dead(self, claim: Path, owner: str) -> bool:
        now = self._ledger.now()
        living = self._ledgers.is_living(owner, now) if owner else None
        if living is None:  # killed before the claim said whose it is, or its ledger was deleted
            with contextlib.suppress(FileNotFoundError):
                return now - claim.stat().st_mtime > STALE_S
            return False
        return not living

    def _create(self, path: Path, clip_id: str) -> bool:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        try:
            os.write(handle, json.dumps({"worker": self._ledger.worker.name, "clip": clip_id}).encode())
        except OSError:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        return True


def _successor(first: Path, worker: str) -> Path:
    return first.with_name(f"{first.name}~{worker}")


def _read(path: Path) -> dict[str, str] | None:
    """What a claim says; None = there is none, {} = it says nothing yet."""
    try:
        said = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def running(folder: Path) -> dict[str, str]:
    """clip_id -> worker of all claims, the last successor's of each; whether the worker lives is not looked at."""
    said: dict[str, dict[str, str]] = {}
    with contextlib.suppress(FileNotFoundError):
        said = {path.name: _read(path) or {} for path in (folder / FOLDER / CLAIMS).iterdir()}
    found = {}
    for name, claim in said.items():
        if "~" not in name and "clip" in claim:
            while (later := said.get(f"{name}~{claim['worker']}")) is not None and "worker" in later:
                claim = later
            found[claim["clip"]] = claim["worker"]
    return found

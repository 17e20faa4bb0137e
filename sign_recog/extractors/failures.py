"""The table of the clips that failed, made of all workers' latest words on them."""

import csv
import io
import time
from collections.abc import Mapping
from pathlib import Path

from sign_recog.storage import atomic
from sign_recog.storage.ledger import Word

FAILED = "failed.tsv"


def write_failures(out_dir: Path, words: Mapping[str, Word]) -> None:
    """Write ``failed.tsv`` (clip_id, reason, time, worker); where no clip's latest word is a failure, remove it."""
    path = out_dir / FAILED
    failed = sorted((clip_id, word) for clip_id, word in words.items() if word.state == "failed")
    if not failed:
        path.unlink(missing_ok=True)
        return
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", lineterminator="\n")
    writer.writerow(["clip_id", "reason", "time", "worker"])
    for clip_id, word in failed:
        at = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(word.at))
        writer.writerow([clip_id, word.reason, at, word.worker])
    atomic.write_text(path, buffer.getvalue())

"""What is needed to say later what ran: command, code, versions, machine."""

import contextlib
import hashlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from sign_recog.storage import atomic

PACKAGES = (
    "torch", "torchvision", "pytorch-lightning", "transformers", "mediapipe", "numpy", "av", "hydra-core",
    "scikit-learn",
)  # fmt: skip
PEAKS = ("peak_memory_mb", "peak_gpu_memory_mb")
_ROOT = Path(__file__).parents[2]


def provenance(seed: int) -> dict[str, Any]:
    """Command, git commit, versions, seed, host, GPU and time of this process."""
    return {
        "command": " ".join(["python", *sys.argv]),
        "git_commit": git_commit(),
        "seed": seed,
        "python": platform.python_version(),
        "versions": versions(),
        "host": platform.node(),
        "system": platform.platform(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gpu": _gpu_name(),
        "slurm_job_id": os.environ.get("SLURM_JOB_ID"),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def versions() -> dict[str, str | None]:
    """Versions of the packages that results depend on; None = not installed."""
    found: dict[str, str | None] = dict.fromkeys(PACKAGES)
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def record_start(path: Path, seed: int) -> None:
    """Write :func:`provenance` to ``path``; what an earlier, killed process wrote there moves into ``earlier``."""
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    before = [] if earlier is None else [*earlier.pop("earlier", []), earlier]
    atomic.write_json(path, {**provenance(seed), "earlier": before})


def record_end(path: Path, memory: Sequence[dict[str, int | None]]) -> None:
    """Add to ``path`` when the training ended and the most memory one of its processes used.

    Args:
        memory: :func:`peak_memory` of each process.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    peaks = {name: max((own[name] or 0 for own in memory), default=0) or None for name in PEAKS}
    atomic.write_json(path, content | {"ended": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **peaks})


def peak_memory() -> dict[str, int | None]:
    """The most memory of this process so far, in MB of 2^20 bytes; of the GPU None where none is used."""
    import torch

    unit = 1 if sys.platform == "darwin" else 2**10  # bytes on macOS, else kilobytes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
    return dict(zip(PEAKS, (round(peak / 2**20), None if gpu is None else round(gpu / 2**20)), strict=True))


def git_commit() -> str:
    """The commit of this code, with ``-dirty`` where files differ from it; "unknown" outside a repository."""
    try:
        commit = _git("rev-parse", "HEAD")
        return f"{commit}-dirty" if _git("status", "--porcelain", "--untracked-files=no") else commit
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _gpu_name() -> str | None:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def clips_hash(clip_ids: Iterable[str]) -> str:
    """Sixteen hexadecimal digits that two sets of clips share only if they are the same."""
    return hashlib.blake2b("\n".join(sorted(clip_ids)).encode(), digest_size=8).hexdigest()


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy, torch and loader processes."""
    import pytorch_lightning as pl

    pl.seed_everything(seed, workers=True, verbose=False)

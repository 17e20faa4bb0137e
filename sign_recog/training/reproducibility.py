"""What is needed to say later what ran: command, code, versions, machine."""

import hashlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "pytorch-lightning", "mediapipe", "numpy", "av", "hydra-core", "scikit-learn")
_ROOT = Path(__file__).parents[2]


def provenance(seed: int) -> dict[str, Any]:
    """Command, git commit, versions, seed, host and time of this process."""
    return {
        "command": " ".join(["python", *sys.argv]),
        "git_commit": git_commit(),
        "seed": seed,
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "host": platform.node(),
        "system": platform.platform(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "slurm_job_id": os.environ.get("SLURM_JOB_ID"),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def git_commit() -> str:
    """The commit of this code, with ``-dirty`` where files differ from it; "unknown" outside a repository."""
    try:
        commit = _git("rev-parse", "HEAD")
        return f"{commit}-dirty" if _git("status", "--porcelain", "--untracked-files=no") else commit
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


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

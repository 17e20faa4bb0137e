"""Settings of ``run=extract_keypoints``."""

from dataclasses import dataclass
from enum import Enum

from omegaconf import MISSING

from sign_recog.config.runs.base import RunConfig, worker_problems


class Retry(str, Enum):
    """Which clips alone are tried."""

    failed = "failed"  # those in failed.tsv


@dataclass
class ExtractKeypointsRun(RunConfig):
    """Video -> keypoints. ``shard`` of ``num_shards`` does its part of the clips, by their duration."""

    num_workers: int | None = MISSING  # processes; 0 = none, null = one a core
    max_failed_share: float = MISSING  # of clips; above it the stage ends with an error
    shard: int = MISSING
    num_shards: int = MISSING
    retry: Retry | None = MISSING  # null = every clip that is not finished

    def problems(self) -> list[str]:
        found = worker_problems(self.num_workers)
        if not 0 <= self.shard < self.num_shards:
            found.append(f"run.shard={self.shard} must be in 0..{self.num_shards - 1} (run.num_shards - 1).")
        if not 0 <= self.max_failed_share <= 1:
            found.append(f"run.max_failed_share={self.max_failed_share} is a share of clips, between 0 and 1.")
        return found

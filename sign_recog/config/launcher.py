"""Where a command's jobs run, and how big one is: the settings of group ``launcher``."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from omegaconf import MISSING


class Cluster(str, Enum):
    """Where a command's jobs run. A str, so that it can key an interpolation."""

    local = "local"
    local_parallel = "local_parallel"
    slurm = "slurm"


@dataclass
class LauncherConfig:
    """Resources of one job, and where jobs run."""

    cluster: Cluster = MISSING
    nodes: int = MISSING  # machines that share one training
    gpus_per_node: int = MISSING
    cpus_per_task: int = MISSING  # CPUs of a node
    mem_gb: float = MISSING  # memory of a node
    timeout_min: int = MISSING  # of one start; a job that runs into it goes on in another one
    partition: str | None = MISSING  # null = the cluster's default, as for the next three
    account: str | None = MISSING
    qos: str | None = MISSING
    constraint: str | None = MISSING
    array_parallelism: int = MISSING  # jobs of a sweep at the same time
    setup: list[str] = MISSING  # shell lines that a job runs first
    sbatch: dict[str, Any] = MISSING  # any other option of sbatch: long name without dashes -> value
    signal_s: int = MISSING  # seconds before the time limit at which a job is told, so that it can go on later
    max_timeouts: int = MISSING  # times that a job may run into its time limit
    wait: bool = MISSING  # stay until all jobs have ended
    mode: Any = MISSING
    local: Any = MISSING
    local_parallel: Any = MISSING
    slurm: Any = MISSING

    def problems(self) -> list[str]:
        found = []
        least = {"nodes": 1, "gpus_per_node": 0, "cpus_per_task": 1, "timeout_min": 1, "array_parallelism": 1}
        least |= {"signal_s": 10, "max_timeouts": 0}
        for name, low in least.items():
            if getattr(self, name) < low:
                found.append(f"launcher.{name}={getattr(self, name)} must be at least {low}.")
        if self.mem_gb <= 0:
            found.append(f"launcher.mem_gb={self.mem_gb} must be above 0.")
        if self.signal_s >= 60 * self.timeout_min:
            found.append(
                f"launcher.signal_s={self.signal_s} is not before the time limit, launcher.timeout_min="
                f"{self.timeout_min}. Use a longer limit, or fewer seconds."
            )
        if self.nodes > 1 and self.cluster is not Cluster.slurm:
            found.append(
                f"launcher.nodes={self.nodes} needs launcher.cluster=slurm; this machine is one. "
                "Use launcher.nodes=1, or launcher.cluster=slurm."
            )
        for line in self.setup:
            if "\n" in line:
                found.append("launcher.setup holds a value of several lines. Give a list, a line each.")
        return found

"""Hydra finds launchers in packages of this name; this one hands its jobs to sign_recog.launch.

Hydra imports this file at every start, so it imports nothing heavy.
"""

from collections.abc import Sequence

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class SlurmLauncher(Launcher):
    """Runs the jobs of a sweep as one SLURM array; see ``sign_recog.launch.launcher``."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context, self._task_function, self._config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit, wait if asked to, and return what the jobs gave."""
        from sign_recog.launch.launcher import launch

        loader = self._context.config_loader
        configs = [loader.load_sweep_config(self._config, list(overrides)) for overrides in job_overrides]
        return launch(configs, job_overrides, initial_job_idx, self._task_function)

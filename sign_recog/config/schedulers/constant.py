"""Settings of ``scheduler=constant``."""

from dataclasses import dataclass

from sign_recog.config.schedulers.base import SchedulerConfig


@dataclass
class ConstantScheduler(SchedulerConfig):
    """The rate stays."""

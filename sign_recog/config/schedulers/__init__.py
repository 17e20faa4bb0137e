"""The settings of each learning-rate schedule: the group ``scheduler``.

One module a schedule: its dataclass is the schema that the file of the same name in conf/scheduler starts from.
"""

from sign_recog.config.discover import schemas_in
from sign_recog.config.schedulers.base import SchedulerConfig

__all__ = ["SchedulerConfig", "schemas"]


def schemas() -> dict[str, type[SchedulerConfig]]:
    """Schedule name -> the dataclass of its settings."""
    return schemas_in(__name__, __path__, SchedulerConfig)

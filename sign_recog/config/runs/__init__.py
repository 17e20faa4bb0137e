"""The settings of each stage: the group ``run``. What several stages share stands in the other groups.

One module a stage, named as the stage: its dataclass is the schema ``<stage>_schema`` that the
stage's file in conf/run starts from. A new stage adds a module here, and nothing else changes.
"""

from sign_recog.config.discover import schemas_in
from sign_recog.config.runs.base import RunConfig

__all__ = ["RunConfig", "schemas"]


def schemas() -> dict[str, type[RunConfig]]:
    """Stage name -> the dataclass of its settings."""
    return schemas_in(__name__, __path__, RunConfig)

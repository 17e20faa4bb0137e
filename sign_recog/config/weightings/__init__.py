"""The settings of each task weighting: the group ``loss/weighting``.

One module a weighting that has settings; its dataclass is the schema that the file of the same name in
conf/loss/weighting starts from.
"""

from sign_recog.config.discover import schemas_in
from sign_recog.config.weightings.base import WeightingConfig

__all__ = ["WeightingConfig", "schemas"]


def schemas() -> dict[str, type[WeightingConfig]]:
    """Weighting name -> the dataclass of its settings."""
    return schemas_in(__name__, __path__, WeightingConfig)

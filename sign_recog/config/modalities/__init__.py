"""The settings of each modality: the group ``modality``, what the network reads.

One module a modality: its dataclass is the schema ``<modality>_schema`` that the modality's file in conf/modality
starts from, and its ``_target_`` names the reader in sign_recog/data that is built from it.
"""

from sign_recog.config.discover import schemas_in
from sign_recog.config.modalities.base import ModalityConfig

__all__ = ["ModalityConfig", "schemas"]


def schemas() -> dict[str, type[ModalityConfig]]:
    """Modality name -> the dataclass of its settings."""
    return schemas_in(__name__, __path__, ModalityConfig)

"""Settings of the group ``data`` that a corpus has beside those of all: one module a corpus, named as its option.

Its dataclass, a subclass of :class:`sign_recog.config.schema.DataConfig`, is the schema ``<corpus>_schema`` that the
file of the same name in conf/data starts from. A corpus without settings of its own needs no module.
"""

from sign_recog.config.corpora.base import CorpusConfig
from sign_recog.config.discover import schemas_in

__all__ = ["CorpusConfig", "schemas"]


def schemas() -> dict[str, type[CorpusConfig]]:
    """Corpus name -> the dataclass of its settings."""
    return schemas_in(__name__, __path__, CorpusConfig)

"""Which clips train, validate and test; and what a score on such a split can and cannot say."""

from sign_recog.corpora.splits.assign import assign_splits
from sign_recog.corpora.splits.divide import divide
from sign_recog.corpora.splits.leakage import gloss_coverage, leakage
from sign_recog.corpora.splits.subset import (
    drop_partial_glosses,
    select_categories,
    select_glosses,
    take_train_share,
)

__all__ = [
    "assign_splits", "divide", "drop_partial_glosses", "gloss_coverage", "leakage", "select_categories",
    "select_glosses", "take_train_share",
]  # fmt: skip

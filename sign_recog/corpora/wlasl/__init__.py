"""WLASL (Li et al., WACV 2020, arXiv:1910.11006): its annotation files, frame ranges and boxes -> clips."""

from sign_recog.corpora.wlasl.reader import read

__all__ = ["read"]

"""Text as numbers and back: tokenizers, the case of words, and the glosses of a sentence."""

from sign_recog.text.base import Tokenizer
from sign_recog.text.store import read_tokenizer

__all__ = ["Tokenizer", "read_tokenizer"]

"""The built-in corpus: drawn people sign an invented lexicon, so that no download is needed to try everything.

MediaPipe Holistic sees the drawings as people, and the true landmarks of every frame are stored beside the clips.
signs.py says what is signed, signer.py by whom, motion.py how it moves, render.py how it looks, corpus.py in which
files it ends up.
"""

from sign_recog.corpora.synthetic.corpus import read

__all__ = ["read"]
